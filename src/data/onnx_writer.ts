/** A network as an ONNX model: its operators, its weights under their names. */

import { DATA, type Network, type Node } from "../core/network.ts";
import {
  type ActivationName,
  activationOf,
  type StructureName,
  structures,
} from "../operations/registry.ts";
import { type Pair, type Shape, sizeOfShape, type Structure } from "../operations/structure.ts";
import { quote, type Tensor, type Tensors } from "./elements.ts";
import { type Attribute, type OnnxNode, type Stored, writeOnnx } from "./onnx.ts";
import { type Names, namesOf, turned } from "./weights.ts";

/** Attributes of where a window stands. */
function windowAttributes({ kernel, stride, pad, dilation }: {
  kernel: Pair;
  stride?: Pair;
  pad?: readonly number[] | "same";
  dilation?: Pair;
}, side: Pair): [string, Attribute][] {
  return [
    ["kernel_shape", kernel],
    ["strides", stride ?? side],
    ...(pad === "same"
      ? [["auto_pad", "SAME_UPPER"] as [string, Attribute]]
      : [["pads", pad ?? [0, 0, 0, 0]] as [string, Attribute]]),
    ...(dilation?.some((step) => step > 1) ? [["dilations", dilation] as [string, Attribute]] : []),
  ];
}

/** What a network is written as, beside its weights. */
export interface OnnxExtras {
  readonly names?: Names;
  /** Tensors of a run: they lie in the file unused, as 64-bit floats. */
  readonly run?: Tensors;
  readonly description?: string;
}

/**
 * An ONNX file of a network, weights as 32-bit floats. What goes in is `x`, [batch, ...], what comes
 * out `logits`, [batch, classes], before any softmax. Gelu takes version 20 of the operators,
 * everything else 13.
 * @throws {TypeError} when ONNX lacks one of its operations, or two tensors have one name.
 * @throws {RangeError} when float32 cannot hold a weight.
 */
export function onnxOf(
  network: Network,
  parameters: Float64Array, // [parameters]
  fileName: string,
  { names = namesOf(network), run = new Map(), description = "" }: OnnxExtras = {},
): Uint8Array {
  const initializers: Tensors = new Map(), stored = new Map<string, Stored>();
  const written: OnnxNode[] = [], taken = new Set<string>();
  const reserve = (name: string) => {
    if (taken.has(name)) {
      throw new TypeError(`Cannot write ${fileName}: two of its values are called ${quote(name)}`);
    }
    taken.add(name);
  };
  const hold = (name: string, tensor: Tensor, as: Stored = "float32") => {
    reserve(name);
    initializers.set(name, tensor);
    stored.set(name, as);
    return name;
  };
  const chosen = [...names.values()];
  for (const { name } of chosen) reserve(name);
  /** A name that none of the weights has. */
  const free = (name: string): string => taken.has(name) ? free(`${name}_`) : name;
  const input = free("x"), result = free("logits");
  reserve(input);
  let count = 0;
  const fresh = (what: string) => {
    let name;
    do name = `${what}_${++count}`; while (taken.has(name));
    return name;
  };
  let offset = 0, layer = 0;
  /** The next tensor of the weights, under its name. */
  const weight = (letter: string, shape: readonly number[], isMatrix = false) => {
    const size = sizeOfShape(shape), { name, turned: isTurned } = names.get(`${letter}${layer}`)!;
    const tensor = { shape, data: parameters.slice(offset, offset += size) };
    initializers.set(name, isMatrix && isTurned ? turned(tensor) : tensor);
    return { name, isTurned: isMatrix && isTurned };
  };
  const add = (
    operator: string,
    inputs: string[],
    attributes: [string, Attribute][] = [],
    output = fresh(operator.toLowerCase()),
  ) => {
    reserve(output);
    const { length } = written;
    written.push({
      name: `${operator}_${length}`,
      operator,
      inputs,
      outputs: [output],
      attributes: new Map(attributes),
    });
    return output;
  };
  let opset = 13;
  const nodes: Node[] = [...network.nodes, { operation: "dense", width: network.classes }];
  const outputs: string[] = [], shapes: Shape[] = [];
  nodes.forEach((node, i) => {
    const from = node.from ?? [i - 1], output = i === nodes.length - 1 ? result : undefined;
    const values = from.map((source) => source === DATA ? input : outputs[source]);
    const before = from.map((source) => source === DATA ? network.inputShape : shapes[source]);
    const name = node.operation, [shape] = before;
    if (!(name in structures)) {
      shapes.push(shape);
      outputs.push(activation(node.operation as ActivationName, values[0]));
      return;
    }
    const built = (structures[name as StructureName] as Structure).build(before, node);
    if (built.tensors) layer++;
    shapes.push(built.shape);
    const tensors = built.tensors?.map(({ letter, shape }) =>
      weight(letter, shape, name === "dense")
    );
    const weights = tensors?.map(({ name }) => name) ?? [];
    switch (node.operation) {
      case "dense": {
        const row = shape.length === 3 ? add("Flatten", values) : values[0];
        const attributes: [string, Attribute][] = tensors![0].isTurned ? [["transB", 1]] : [];
        outputs.push(add("Gemm", [row, ...weights], attributes, output));
        break;
      }
      case "conv": {
        const attributes = windowAttributes(node, [1, 1]);
        if ((node.groups ?? 1) > 1) attributes.push(["group", node.groups!]);
        outputs.push(add("Conv", [...values, ...weights], attributes));
        break;
      }
      case "maxpool":
      case "avgpool":
        outputs.push(
          add(
            node.operation === "maxpool" ? "MaxPool" : "AveragePool",
            values,
            windowAttributes(node, node.kernel),
          ),
        );
        break;
      case "globalavgpool":
        outputs.push(add("GlobalAveragePool", values));
        break;
      case "scale": { // a batch norm that is one already
        const [channels] = shape;
        const constantly = (what: string, value: number) =>
          hold(fresh(what), { shape: [channels], data: new Float64Array(channels).fill(value) });
        outputs.push(
          add("BatchNormalization", [
            ...values,
            ...weights,
            constantly("mean", 0),
            constantly("variance", 1),
          ], [["epsilon", 0]]),
        );
        break;
      }
      case "flatten":
        outputs.push(add("Flatten", values));
        break;
      case "reshape": {
        const to = { shape: [4], data: Float64Array.of(0, ...node.maps) };
        // A 0 stands for the length that is there.
        outputs.push(add("Reshape", [...values, hold(fresh("shape"), to, "int64")]));
        break;
      }
      case "dropout": {
        const rate = { shape: [], data: Float64Array.of(node.rate) };
        outputs.push(add("Dropout", [...values, hold(fresh("rate"), rate)]));
        break;
      }
      case "add":
        outputs.push(add("Sum", values));
    }
  });

  function activation(name: ActivationName, value: string): string {
    if (name === "step") return add("Relu", [add("Sign", [value])]);
    if (name === "silu") return add("Mul", [value, add("Sigmoid", [value])]);
    const { onnx, onnxNumbers = {} } = activationOf(name);
    if (!onnx) {
      throw new TypeError(`Cannot write ${fileName}: ONNX has no ${name}; use .h5 or .safetensors`);
    }
    const numbers = Object.entries(onnxNumbers);
    if (onnx === "Clip") {
      const bounds = numbers.map(([key, bound]) =>
        Number.isFinite(bound) ? hold(fresh(key), { shape: [], data: Float64Array.of(bound) }) : ""
      );
      return add(onnx, [value, ...bounds]);
    }
    if (onnx === "Gelu") {
      opset = 20;
      return add(onnx, [value], [["approximate", name === "gelu" ? "tanh" : "none"]]);
    }
    return add(onnx, [value], numbers);
  }

  for (const [name, tensor] of run) hold(name, tensor, "float64");
  return writeOnnx({
    opset,
    nodes: written,
    initializers,
    inputs: [{ name: input, isFloat: true, shape: ["batch", ...network.inputShape] }],
    outputs: [{ name: result, isFloat: true, shape: ["batch", network.classes] }],
    stored,
    description,
  }, fileName);
}
