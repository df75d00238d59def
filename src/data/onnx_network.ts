/**
 * ONNX's operators as our operations, and back: a network, its weights, and what the file calls them.
 *
 * What only renames or is constant is folded. Shapes are tracked without the batch, whose length is
 * the first of every value that is not constant.
 */

import {
  type Activation as NamedActivation,
  connect,
  DATA,
  type Loss,
  type Network,
  type Node,
} from "../core/network.ts";
import {
  type ActivationName,
  activationOf,
  activations,
  families,
  type FamilyName,
  type StructureName,
  structures,
} from "../operations/registry.ts";
import type { Activation } from "../operations/activation.ts";
import type { Family } from "../operations/family.ts";
import {
  type Maps,
  type Pair,
  type Shape,
  sizeOfShape,
  type Structure,
  textOfShape,
} from "../operations/structure.ts";
import { quote, type Tensor, type Tensors } from "./elements.ts";
import {
  type Attribute,
  nodeTitle,
  type OnnxModel,
  type OnnxNode,
  type Stored,
  writeOnnx,
} from "./onnx.ts";
import { type Names, namesOf, turned } from "./weights.ts";

/** A network from an ONNX file. */
export interface OnnxNetwork {
  readonly network: Network;
  readonly parameters: Float64Array; // [parameters]
  /** What the file calls its tensors. */
  readonly names: Names;
  /** What the file ends in behind the logits, which is the loss's here. */
  readonly softmax?: "Softmax" | "LogSoftmax";
  /**
   * The operator that the file ends in, where that is no dense layer: one that passes on what it
   * takes, whose weights are 1 and 0, is then put behind it.
   */
  readonly closed?: string;
  /** Which of the network's nodes each value that is computed is, the last layer behind all others. */
  readonly values: ReadonlyMap<string, number>;
  /** Lines for people: what is otherwise here than in the file. */
  readonly notes: readonly string[];
}

/** Values a sample, and weights, at most: more are taken for a hostile file, or are out of reach. */
const MOST_VALUES = 2 ** 22, MOST_WEIGHTS = 2 ** 26;
/** Outputs of a network that ends in no dense layer, at most: one of their square is added. */
const MOST_CLOSED = 4096;

/** Something constant: numbers, and the initializer that they are. */
interface Constant {
  readonly kind: "constant";
  readonly tensor: Tensor;
  readonly initializer?: { readonly name: string; readonly shape: readonly number[] };
  /** Whether a matrix was transposed since. */
  readonly turned: boolean;
}

/** What an operation of ours gives. */
interface Given {
  readonly kind: "given";
  /** Index among our nodes, or `DATA`. */
  readonly node: number;
  /** As we have it: a row or maps. */
  readonly shape: Shape;
  /** As ONNX has it, without the batch. */
  readonly dims: readonly number[];
  /** Whether no other node takes it. */
  readonly alone: boolean;
  readonly softmax?: "Softmax" | "LogSoftmax";
}

type Value = Constant | Given;

/** A tensor of a node's weights: its numbers as ours lie, and what it is in the file. */
interface Weight {
  readonly data: Float64Array;
  readonly of?: Constant;
}

/** Which of our structures an operator is, from what structures say of themselves. */
const structureOf = new Map<string, StructureName>(
  Object.entries(structures as unknown as Record<string, Structure>).flatMap(([name, { onnx }]) =>
    onnx.map((operator) => [operator, name as StructureName] as const)
  ),
);
const activationBy = new Map(
  Object.values<Activation>(activations).flatMap((activation) =>
    activation.onnx ? [[activation.onnx, activation] as const] : []
  ),
);

/** Bounds from here on stand for none: exporters write float32's largest number for infinity. */
const LARGEST = 3e38;

/** Operators that are folded, and are no operation of ours. */
const FOLDED = ["Constant", "Identity", "Mul", "Sub", "Div", "Softmax", "LogSoftmax"];

/** The operators that are read. */
export const OPERATORS: readonly string[] = [
  ...new Set([...structureOf.keys(), ...activationBy.keys(), ...FOLDED]),
].filter((name): name is string => name !== undefined).sort();

/** Attributes that say nothing about what is computed at inference. */
const IDLE = new Set(["momentum", "is_test", "consumed_inputs", "seed", "storage_order"]);

/** Reads one graph. */
class Reader {
  readonly nodes: Node[] = [];
  readonly weights = new Map<number, Weight[]>();
  /** Nodes whose bias is not said yet: what is added behind them is it. */
  readonly open = new Set<number>();
  readonly values = new Map<string, Value>();
  readonly uses = new Map<string, number>();
  readonly notes: string[] = [];
  /** The batch's length, where the file says one. */
  readonly batch: number | undefined;
  size = 0;
  node!: OnnxNode;
  read = new Set<string>();

  constructor(readonly model: OnnxModel, readonly fileName: string) {
    for (const name of [...model.nodes.flatMap(({ inputs }) => inputs), model.outputs[0]?.name]) {
      this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
    }
    for (const [name, tensor] of model.initializers) {
      const initializer = { name, shape: tensor.shape };
      this.values.set(name, { kind: "constant", tensor, initializer, turned: false });
    }
    const data = model.inputs.filter(({ name }) => !model.initializers.has(name));
    if (data.length !== 1) {
      this.refuse(
        `it takes ${data.length} inputs${
          data.length > 0 ? ` (${data.slice(0, 5).map(({ name }) => quote(name)).join(", ")})` : ""
        }`,
        "store all but the data as initializers",
      );
    }
    if (model.outputs.length !== 1) {
      this.refuse(`it gives ${model.outputs.length} outputs`, "leave the logits alone");
    }
    const [{ name, isFloat, shape: [batch, ...dims] }] = data;
    if (!isFloat) {
      this.refuse(`its input ${quote(name)} holds no floats`, "networks of floats are read");
    }
    if (batch === undefined) {
      this.refuse(`its input ${quote(name)} has no shape`, "export it with [batch, ...]");
    }
    const known = dims.filter((length): length is number => typeof length === "number");
    if (known.length < dims.length) {
      this.refuse(
        `its input ${quote(name)} is [${[batch, ...dims].map((d) => d === "" ? "?" : d)}]`,
        "only the batch, the first, may be left open; fix the others when exporting",
      );
    }
    this.batch = typeof batch === "number" ? batch : undefined;
    this.values.set(name, this.given(DATA, shapeOfDims(known, this), known, this.use(name) === 1));
  }

  refuse(reason: string, mend = "change it, or export the model otherwise"): never {
    throw new SyntaxError(`Cannot use ${this.fileName}: ${reason}; ${mend}`);
  }

  /** Refuses the node that is read. */
  refuseNode(reason: string, mend?: string): never {
    return this.refuse(`${nodeTitle(this.node)} ${reason}`, mend);
  }

  use(name: string): number {
    return this.uses.get(name) ?? 0;
  }

  given(node: number, shape: Shape, dims: readonly number[], alone: boolean): Given {
    return { kind: "given", node, shape, dims, alone };
  }

  // What the node that is read takes.

  value(i: number): Value | undefined {
    const name = this.node.inputs[i];
    return name ? this.values.get(name) : undefined;
  }

  /** What it takes in place i, which has to come from the data. */
  from(i = 0): Given {
    const value = this.value(i);
    if (value === undefined) this.refuseNode(`takes nothing in place ${i}`);
    if (value.kind === "constant") {
      this.refuseNode(
        `takes a constant, ${quote(this.node.inputs[i])}, in place ${i}`,
        "let constants be folded when exporting",
      );
    }
    if (value.softmax) {
      this.refuseNode(
        `comes behind a ${value.softmax}`,
        "a softmax can only be the last, where the loss takes it in",
      );
    }
    return { ...value, alone: value.alone && this.use(this.node.inputs[i]) === 1 };
  }

  /** What it takes in place i, which has to be constant. */
  constant(i: number): Constant | undefined {
    const value = this.value(i);
    if (value?.kind === "given") {
      this.refuseNode(
        `takes ${quote(this.node.inputs[i])} in place ${i}, which is computed from the data`,
        "it has to be a constant",
      );
    }
    return value;
  }

  attribute<T extends Attribute>(
    name: string,
    unsaid: T | undefined,
    is: (value: Attribute) => boolean,
  ): T | undefined {
    this.read.add(name);
    const value = this.node.attributes.get(name);
    if (value === undefined) return unsaid;
    if (!is(value)) this.refuseNode(`has no such ${name} as can be read`);
    return value as T;
  }

  number(name: string, unsaid: number): number {
    return this.attribute<number>(name, unsaid, (value) => typeof value === "number")!;
  }

  text(name: string, unsaid: string): string {
    return this.attribute<string>(name, unsaid, (value) => typeof value === "string")!;
  }

  numbers(name: string): readonly number[] | undefined {
    return this.attribute<readonly number[]>(name, undefined, Array.isArray);
  }

  /** Whole numbers that newer files give as an input, and older ones as an attribute. */
  list(name: string, i: number): readonly number[] | undefined {
    const attribute = this.numbers(name);
    return attribute ?? (this.constant(i) && [...this.constant(i)!.tensor.data]);
  }

  // What comes of it.

  /** Adds an operation of ours, behind what it takes. */
  push(node: Node, from: readonly Given[], dims?: readonly number[], weights?: Weight[]): Given {
    let shape = from[0].shape;
    if (node.operation in structures) {
      const structure = structures[node.operation as StructureName] as Structure;
      try {
        const built = structure.build(from.map(({ shape }) => shape), node);
        shape = built.shape;
        (built.tensors ?? []).forEach(({ shape }, t) => {
          const count = sizeOfShape(shape), { data } = weights![t];
          if (data.length !== count) {
            this.refuseNode(`has ${data.length} numbers where ${textOfShape(shape)} are needed`);
          }
          this.size += count;
        });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.refuseNode(`cannot be built: ${error.message}`);
      }
    }
    if (sizeOfShape(shape) > MOST_VALUES || this.size > MOST_WEIGHTS) {
      this.refuseNode(
        `gives ${textOfShape(shape)} values of ${this.size} weights so far`,
        `at most ${MOST_VALUES} values and ${MOST_WEIGHTS} weights are read`,
      );
    }
    this.nodes.push({ ...node, from: from.map(({ node }) => node) });
    const at = this.nodes.length - 1;
    if (weights) this.weights.set(at, weights);
    return this.given(at, shape, dims ?? shape, true);
  }

  /** The same values under other lengths. */
  rename(value: Given, dims: readonly number[]): Given {
    if (sizeOfShape(dims) !== sizeOfShape(value.dims)) {
      this.refuseNode(`makes [${dims}] of [${value.dims}] a sample`);
    }
    return { ...value, dims };
  }

  /** The same values as maps. */
  asMaps(value: Given, maps: Maps): Given {
    if (textOfShape(value.shape) === textOfShape(maps)) return value;
    return { ...this.push({ operation: "reshape", maps }, [value], value.dims), dims: value.dims };
  }

  /** Channels and the two sides, or the one, of what a window moves over. */
  windowed(value: Given): Given {
    const { dims: [channels, ...sides] } = value;
    if (sides.length < 1 || sides.length > 2) {
      this.refuseNode(
        `moves over ${sides.length} dimensions`,
        "windows over one or two are read",
      );
    }
    return this.asMaps(value, [channels, sides.length === 2 ? sides[0] : 1, sides.at(-1)!]);
  }

  /** A number for each side, down and across; of one side it is across. */
  pair(numbers: readonly number[] | undefined, sides: number, what: string): Pair | undefined {
    if (numbers === undefined) return undefined;
    if (numbers.length !== sides) {
      this.refuseNode(`has ${numbers.length} numbers of ${what} for ${sides} sides`);
    }
    return sides === 2 ? [numbers[0], numbers[1]] : [1, numbers[0]];
  }

  /** Where the window of the node stands. */
  placement(value: Given, kernel: readonly number[] | undefined) {
    const sides = value.dims.length - 1, [, ...sizes] = value.shape as Maps;
    const said = this.numbers("kernel_shape") ?? kernel;
    const size = this.pair(said, sides, "its kernel");
    if (!size) return this.refuseNode("does not say its kernel");
    if (kernel && kernel.some((length, d) => length !== said![d])) {
      this.refuseNode(`has a kernel of ${said} and weights of ${kernel}`);
    }
    const stride = this.pair(this.numbers("strides"), sides, "strides") ?? [1, 1];
    const dilation = this.pair(this.numbers("dilations"), sides, "dilations") ?? [1, 1];
    const pads = this.numbers("pads"), auto = this.text("auto_pad", "NOTSET");
    const span = (d: number) => (size[d] - 1) * dilation[d] + 1;
    let [top, left, below, right] = [0, 0, 0, 0];
    if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
      const around = [0, 1].map((d) =>
        Math.max(0, (Math.ceil(sizes[d] / stride[d]) - 1) * stride[d] + span(d) - sizes[d])
      );
      const round = auto === "SAME_UPPER" ? Math.floor : Math.ceil;
      [top, left] = around.map((both) => round(both / 2));
      [below, right] = [around[0] - top, around[1] - left];
    } else if (auto === "NOTSET" && pads) {
      if (pads.length !== 2 * sides) this.refuseNode(`has ${pads.length} pads`);
      [top, left] = sides === 2 ? pads : [0, pads[0]];
      [below, right] = sides === 2 ? pads.slice(2) : [0, pads[1]];
    } else if (auto !== "NOTSET" && auto !== "VALID") {
      this.refuseNode(`has auto_pad ${quote(auto)}`);
    }
    if (this.number("ceil_mode", 0) !== 0) {
      const more = [0, 1].map((d) => {
        const [before, behind] = [[top, below], [left, right]][d];
        const rest = sizes[d] + before + behind - span(d);
        let windows = Math.ceil(rest / stride[d]);
        if (windows * stride[d] >= sizes[d] + before) windows--; // it would see padding alone
        return Math.max(0, windows * stride[d] - rest);
      });
      below += more[0];
      right += more[1];
    }
    return { kernel: size, stride, dilation, pad: [top, left, below, right] as const };
  }

  /** ONNX's lengths of what a window gives. */
  behindWindow(value: Given, sides: number): Given {
    const [channels, height, width] = value.shape as Maps;
    return { ...value, dims: sides === 2 ? [channels, height, width] : [channels, width] };
  }

  /** A bias of so many outputs, where it is one number each or one for all; 0 where there is none. */
  bias(constant: Constant | undefined, outputs: number, factor = 1): Weight {
    if (!constant) return { data: new Float64Array(outputs) };
    const { data, shape } = constant.tensor;
    if (data.length === outputs && shape.every((d, i) => d === 1 || i === shape.length - 1)) {
      return factor === 1 ? { data, of: constant } : { data: data.map((value) => factor * value) };
    }
    if (data.length !== 1) {
      this.refuseNode(`adds [${shape}], which is not one number for each of ${outputs} outputs`);
    }
    return { data: new Float64Array(outputs).fill(factor * data[0]) };
  }

  /** A dense layer by a matrix. */
  dense(value: Given, matrix: Constant, isTurned: boolean, factor: number, bias?: Weight): Given {
    const { shape, data } = matrix.tensor;
    if (shape.length !== 2) this.refuseNode(`multiplies by [${shape}], which is no matrix`);
    const [inputs, outputs] = isTurned ? [shape[1], shape[0]] : shape;
    const last = value.dims.at(-1);
    if (last !== inputs || sizeOfShape(value.dims) !== inputs) {
      this.refuseNode(
        `multiplies [batch,${value.dims}] by a matrix of ${inputs} rows`,
        "dense layers take one row a sample; flatten it before",
      );
    }
    const turnedData = isTurned ? turned(matrix.tensor).data : data;
    const weight: Weight = factor === 1
      ? { data: turnedData, of: isTurned ? { ...matrix, turned: !matrix.turned } : matrix }
      : { data: turnedData.map((w) => factor * w) };
    const dims = [...value.dims.slice(0, -1), outputs];
    const result = this.push({ operation: "dense", width: outputs }, [value], dims, [
      weight,
      bias ?? { data: new Float64Array(outputs) },
    ]);
    if (!bias) this.open.add(result.node);
    return result;
  }

  /**
   * Each value times a constant, plus a constant: a `scale` of as few channels as the constant has.
   */
  scaled(value: Given, constant: Constant, what: "times" | "plus", of: (c: number) => number) {
    const { shape, data } = constant.tensor, rank = value.dims.length + 1;
    // Up to version 6 of the operators a constant's place is said by an axis.
    const broadcast = this.number("broadcast", 0), axis = this.number("axis", 0);
    const behind = broadcast && this.node.attributes.has("axis") ? rank - axis - shape.length : 0;
    const aligned = [...shape, ...new Array(Math.max(0, Math.min(behind, rank))).fill(1)];
    const full = [...new Array(Math.max(0, rank - aligned.length)).fill(1), ...aligned];
    const [first, ...lengths] = full;
    if (first !== 1 || full.length > rank) {
      this.refuseNode(
        `combines the samples with a constant of [${shape}]`,
        "constants are to be the same for every sample",
      );
    }
    if (lengths.some((length, d) => length !== 1 && length !== value.dims[d])) {
      this.refuseNode(`combines [batch,${value.dims}] with a constant of [${shape}]`);
    }
    const isScalar = data.length === 1;
    const ofChannels = !isScalar && lengths.slice(1).every((length) => length === 1);
    const isDense = this.nodes[value.node]?.operation === "dense";
    // A bias comes later than the layer that it belongs to.
    if (what === "plus" && value.alone && this.open.has(value.node)) {
      const weights = this.weights.get(value.node)!, outputs = weights[1].data.length;
      const fits = isScalar || data.length === outputs &&
          (isDense || ofChannels && lengths[0] === outputs);
      if (fits) {
        const isName = data.length === outputs && of(2) === 2;
        weights[1] = {
          data: isScalar ? new Float64Array(outputs).fill(of(data[0])) : data.map(of),
          of: isName ? constant : undefined,
        };
        this.open.delete(value.node);
        return value;
      }
    }
    const size = sizeOfShape(value.dims), [channels] = value.dims;
    const maps: Maps = isScalar
      ? [1, 1, size]
      : ofChannels
      ? value.shape.length === 3 && value.shape[0] === channels
        ? value.shape
        : [channels, 1, size / channels]
      : [size, 1, 1];
    const all = isScalar || data.length === maps[0] ? data : expand(data, lengths, value.dims);
    const numbers: Weight = {
      data: all.map(of),
      of: all === data && of(2) === 2 ? constant : undefined,
    };
    const constantly = (number: number) => ({ data: new Float64Array(maps[0]).fill(number) });
    const result = this.push(
      { operation: "scale" },
      [this.asMaps(value, maps)],
      value.dims,
      what === "times" ? [numbers, constantly(0)] : [constantly(1), numbers],
    );
    if (what === "times") this.open.add(result.node);
    return result;
  }

  /** The axes of a node that adds or takes away dimensions of length 1, the batch's being 0. */
  axes(rank: number): number[] {
    const axes = this.list("axes", 1)?.map((axis) => axis < 0 ? axis + rank : axis) ?? [];
    if (axes.some((axis) => !Number.isInteger(axis) || axis < 0 || axis >= rank)) {
      this.refuseNode(`has axes ${axes} of ${rank}`);
    }
    return axes;
  }
}

/** A constant of these lengths, each 1 or the value's, written out for each of its values. */
function expand(data: Float64Array, lengths: readonly number[], dims: readonly number[]) {
  return new Float64Array(sizeOfShape(dims)).map((_, i) => {
    let rest = i, at = 0, step = 1;
    for (let d = dims.length - 1; d >= 0; d--) {
      const index = rest % dims[d];
      rest = (rest - index) / dims[d];
      if (lengths[d] !== 1) {
        at += index * step;
        step *= lengths[d];
      }
    }
    return data[at];
  });
}

/** Our shape of data: maps where there are three lengths, else a row. */
function shapeOfDims(dims: readonly number[], reader: Reader): Shape {
  const size = sizeOfShape(dims);
  if (!(size >= 1 && size <= MOST_VALUES)) {
    reader.refuse(`its input has ${size} values a sample`, `give 1 to ${MOST_VALUES}`);
  }
  return dims.length === 3 ? [dims[0], dims[1], dims[2]] : [size];
}

/** The lengths behind the batch that a Reshape asks for. */
function reshaped(reader: Reader, value: Given, to: readonly number[]): readonly number[] {
  const { batch } = reader, isLiteral = reader.number("allowzero", 0) !== 0;
  const text = `makes [${to}] of [batch,${value.dims}]`;
  if (to.length === 0 || to.length > 32) reader.refuseNode(text);
  const lengths = to.map((length, d) =>
    length === 0 && !isLiteral ? (d === 0 ? 0 : value.dims[d - 1] ?? NaN) : length
  );
  const size = sizeOfShape(value.dims), [first, ...rest] = lengths;
  const open = rest.indexOf(-1);
  if (open >= 0) rest[open] = size / -sizeOfShape(rest);
  const keeps = first === 0 && !isLiteral || first === -1 && open < 0 || first === batch;
  if (
    !keeps || sizeOfShape(rest) !== size ||
    rest.some((length) => !(Number.isInteger(length) && length >= 1))
  ) {
    reader.refuseNode(text, "the batch has to stay the first dimension, and of its length");
  }
  return rest;
}

/** Whether an order of dimensions leaves every value where it is. */
const keepsOrder = (order: readonly number[], dims: readonly number[]) => {
  const moved = order.filter((d) => dims[d] !== 1);
  return moved.every((d, i) => i === 0 || d > moved[i - 1]);
};

/** What each operator comes to. Activations need no line here. */
const OPERATIONS: Record<string, (reader: Reader) => Value> = {
  Constant(reader) {
    for (const name of ["value", "value_float", "value_floats", "value_int", "value_ints"]) {
      const said = reader.attribute<Attribute>(name, undefined, (value) => value !== "");
      if (said === undefined || typeof said === "string") continue;
      const tensor: Tensor = typeof said === "number"
        ? { shape: [], data: Float64Array.of(said) }
        : "data" in said
        ? said
        : { shape: [said.length], data: Float64Array.from(said) };
      if (!tensor.data.every(Number.isFinite)) reader.refuseNode("is not finite");
      return { kind: "constant", tensor, turned: false };
    }
    return reader.refuseNode("holds no numbers");
  },
  Identity: (reader) => reader.value(0) ?? reader.refuseNode("takes nothing"),
  Dropout(reader) {
    reader.number("ratio", 0.5);
    const isTraining = reader.constant(2)?.tensor.data[0] ?? 0;
    if (isTraining !== 0) {
      reader.refuseNode("is in training mode", "export the model for inference");
    }
    const rate = reader.constant(1)?.tensor.data[0] ?? reader.number("ratio", 0.5);
    const value = reader.from();
    if (!(rate >= 0 && rate < 1)) return value;
    return {
      ...reader.push({ operation: "dropout", rate }, [value], value.dims),
      alone: value.alone,
    };
  },
  Gemm(reader) {
    const matrix = reader.constant(1), value = reader.from();
    if (!matrix) return reader.refuseNode("has no matrix");
    reader.number("broadcast", 1);
    if (reader.number("transA", 0) !== 0) reader.refuseNode("transposes the samples (transA)");
    if (value.dims.length !== 1) reader.refuseNode(`takes [batch,${value.dims}], and not one row`);
    const isTurned = reader.number("transB", 0) !== 0;
    const added = reader.constant(2), outputs = matrix.tensor.shape[isTurned ? 0 : 1] ?? 0;
    const bias = added && reader.bias(added, outputs, reader.number("beta", 1));
    if (!added) reader.number("beta", 1);
    return reader.dense(value, matrix, isTurned, reader.number("alpha", 1), bias);
  },
  MatMul(reader) {
    const matrix = reader.constant(1);
    if (!matrix) return reader.refuseNode("has no matrix");
    return reader.dense(reader.from(), matrix, false, 1);
  },
  Conv(reader) {
    const filters = reader.constant(1), added = reader.constant(2), value = reader.from();
    if (!filters) return reader.refuseNode("has no filters");
    const windowed = reader.windowed(value), sides = value.dims.length - 1;
    const { shape: [channels, ofGroup, ...kernel], data } = filters.tensor;
    const placement = reader.placement(windowed, kernel), groups = reader.number("group", 1);
    if (ofGroup * groups !== value.dims[0]) {
      reader.refuseNode(
        `has filters of ${ofGroup} channels in ${groups} groups, and takes ${value.dims[0]}`,
      );
    }
    const bias = added && reader.bias(added, channels);
    const result = reader.push(
      { operation: "conv", channels, groups, ...placement },
      [windowed],
      undefined,
      [{ data, of: filters }, bias ?? { data: new Float64Array(channels) }],
    );
    if (!bias) reader.open.add(result.node);
    return reader.behindWindow(result, sides);
  },
  MaxPool: (reader) => pool(reader, "maxpool"),
  AveragePool: (reader) => pool(reader, "avgpool"),
  GlobalAveragePool(reader) {
    const value = reader.from(), [channels, ...sides] = value.dims;
    if (sides.length < 1) reader.refuseNode(`takes [batch,${value.dims}], which are no maps`);
    const maps = sides.length === 2
      ? reader.windowed(value)
      : reader.asMaps(value, [channels, 1, sizeOfShape(sides)]);
    return reader.push({ operation: "globalavgpool" }, [maps], [channels, ...sides.map(() => 1)]);
  },
  BatchNormalization(reader) {
    const value = reader.from(), size = sizeOfShape(value.dims), [channels = 0] = value.dims;
    if (reader.number("training_mode", 0) !== 0) {
      reader.refuseNode("is in training mode", "export the model for inference");
    }
    if (reader.number("spatial", 1) !== 1) reader.refuseNode("has spatial 0");
    const epsilon = reader.number("epsilon", 1e-5);
    const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => {
      const constant = reader.constant(i);
      if (constant?.tensor.data.length !== channels) {
        return reader.refuseNode(`has not ${channels} numbers in place ${i}`);
      }
      return constant;
    });
    const deviations = variance.tensor.data.map((value) => Math.sqrt(value + epsilon));
    const scales = gamma.tensor.data.map((value, c) => value / deviations[c]);
    if (!scales.every(Number.isFinite)) reader.refuseNode("has a variance that is not above 0");
    const shifts = beta.tensor.data.map((value, c) => value - mean.tensor.data[c] * scales[c]);
    const isPlain = deviations.every((value) => value === 1) &&
      mean.tensor.data.every((value) => value === 0);
    if (!isPlain) {
      reader.notes.push(
        `${
          nodeTitle(reader.node)
        } is one scale and shift here: its gradients are of these, and the ` +
          `shift's is that of ${quote(reader.node.inputs[2])} too`,
      );
    }
    const maps: Maps = value.shape.length === 3 && value.shape[0] === channels
      ? value.shape
      : [channels, 1, size / channels];
    return reader.push({ operation: "scale" }, [reader.asMaps(value, maps)], value.dims, [
      { data: scales, of: isPlain ? gamma : undefined },
      { data: shifts, of: isPlain ? beta : undefined },
    ]);
  },
  Flatten(reader) {
    const value = reader.from(), rank = value.dims.length + 1, axis = reader.number("axis", 1);
    if ((axis < 0 ? axis + rank : axis) !== 1) {
      reader.refuseNode(`has axis ${axis}`, "only the batch may be left beside the flattened");
    }
    const renamed = reader.rename(value, [sizeOfShape(value.dims)]);
    if (value.shape.length === 1) return renamed;
    return {
      ...reader.push({ operation: "flatten" }, [renamed], renamed.dims),
      alone: renamed.alone,
    };
  },
  Reshape(reader) {
    const to = reader.list("shape", 1), value = reader.value(0);
    if (!to) return reader.refuseNode("does not say a shape");
    if (value?.kind === "constant") {
      const { shape, data } = value.tensor;
      const lengths = to.map((length, d) => length === 0 ? shape[d] : length);
      const open = lengths.indexOf(-1);
      if (open >= 0) lengths[open] = data.length / -sizeOfShape(lengths);
      if (value.turned || sizeOfShape(lengths) !== data.length || lengths.some((d) => !(d >= 1))) {
        return reader.refuseNode(`makes [${to}] of the constant [${shape}]`);
      }
      return { ...value, tensor: { shape: lengths, data } };
    }
    const given = reader.from();
    return reader.rename(given, reshaped(reader, given, to));
  },
  Squeeze(reader) {
    const value = reader.value(0);
    const shape = value?.kind === "constant" ? value.tensor.shape : [0, ...reader.from().dims];
    let axes = reader.axes(shape.length);
    if (axes.length === 0) axes = shape.flatMap((length, d) => length === 1 ? [d] : []);
    if (axes.some((axis) => shape[axis] !== 1)) reader.refuseNode(`takes away more than length 1`);
    const left = shape.filter((_, d) => !axes.includes(d));
    if (value?.kind === "constant") {
      return { ...value, tensor: { ...value.tensor, shape: left } };
    }
    return reader.rename(reader.from(), left.slice(1));
  },
  Unsqueeze(reader) {
    const value = reader.value(0);
    const shape = value?.kind === "constant" ? value.tensor.shape : [0, ...reader.from().dims];
    const count = reader.list("axes", 1)?.length ?? 0;
    if (count > 32) reader.refuseNode(`has ${count} axes`);
    const axes = reader.axes(shape.length + count);
    if (new Set(axes).size !== count) reader.refuseNode("names an axis twice");
    const rest = [...shape];
    const lengths = Array.from(
      { length: shape.length + count },
      (_, d) => axes.includes(d) ? 1 : rest.shift()!,
    );
    if (value?.kind === "constant") {
      return { ...value, tensor: { ...value.tensor, shape: lengths } };
    }
    if (lengths[0] !== 0) reader.refuseNode("puts a dimension before the batch");
    return reader.rename(reader.from(), lengths.slice(1));
  },
  Transpose(reader) {
    const value = reader.value(0);
    const shape = value?.kind === "constant" ? value.tensor.shape : [0, ...reader.from().dims];
    const order = reader.numbers("perm") ?? shape.map((_, d) => shape.length - 1 - d);
    const isOrder = order.length === shape.length &&
      order.toSorted((a, b) => a - b).every((d, i) => d === i);
    if (!isOrder) return reader.refuseNode(`has perm ${order} of ${shape.length} dimensions`);
    const lengths = order.map((d) => shape[d]);
    if (value?.kind === "constant" && shape.length === 2 && order[0] === 1) {
      return { ...value, tensor: turned(value.tensor), turned: !value.turned };
    }
    if (!keepsOrder(order, shape) || value?.kind === "given" && order[0] !== 0) {
      return reader.refuseNode(
        `moves values, [${shape.map((d) => d || "batch")}] by ${order}`,
        "it may only move dimensions of length 1",
      );
    }
    if (value?.kind === "constant") {
      return { ...value, tensor: { ...value.tensor, shape: lengths } };
    }
    return reader.rename(reader.from(), lengths.slice(1));
  },
  Add: (reader) => sum(reader),
  Sum: (reader) => sum(reader),
  Sub(reader) {
    const [a, b] = [reader.value(0), reader.value(1)];
    if (b?.kind === "constant") return reader.scaled(reader.from(0), b, "plus", (c) => -c);
    if (a?.kind !== "constant") {
      return reader.refuseNode("subtracts two computed values", "one has to be a constant");
    }
    const less = reader.scaled(reader.from(1), ONE, "times", () => -1);
    return reader.scaled(less, a, "plus", (c) => c);
  },
  Mul(reader) {
    const [a, b] = [reader.value(0), reader.value(1)];
    const i = a?.kind === "constant" ? 0 : 1, constant = [a, b][i];
    if (constant?.kind === "constant") {
      return reader.scaled(reader.from(1 - i), constant, "times", (c) => c);
    }
    // z sigmoid(z) is silu.
    for (const [z, gate] of [[0, 1], [1, 0]].map((pair) => pair.map((i) => reader.from(i)))) {
      const { operation, from } = reader.nodes[gate.node] ?? {};
      if (operation === "sigmoid" && from?.[0] === z.node && gate.alone) {
        reader.nodes[gate.node] = { operation: "silu", from };
        return gate;
      }
    }
    return reader.refuseNode(
      "multiplies two computed values",
      "one has to be a constant, or the sigmoid of the other (silu)",
    );
  },
  Div(reader) {
    const divisor = reader.constant(1);
    if (!divisor || !divisor.tensor.data.every((value) => Number.isFinite(1 / value))) {
      return reader.refuseNode("divides by 0 or by nothing");
    }
    return reader.scaled(reader.from(), divisor, "times", (c) => 1 / c);
  },
  Softmax: (reader) => softmax(reader, "Softmax"),
  LogSoftmax: (reader) => softmax(reader, "LogSoftmax"),
};

const ONE: Constant = {
  kind: "constant",
  tensor: { shape: [], data: Float64Array.of(1) },
  turned: false,
};

function pool(reader: Reader, operation: "maxpool" | "avgpool"): Given {
  const value = reader.from(), windowed = reader.windowed(value);
  const placement = reader.placement(windowed, undefined);
  const counts = operation === "avgpool" && reader.number("count_include_pad", 0) !== 0;
  if (counts && placement.pad.some((side) => side > 0)) {
    reader.refuseNode(
      "counts its padding (count_include_pad)",
      "leave the padding out of the mean",
    );
  }
  const result = reader.push({ operation, ...placement }, [windowed]);
  return reader.behindWindow(result, value.dims.length - 1);
}

function sum(reader: Reader): Value {
  const taken = reader.node.inputs.map((_, i) => reader.value(i));
  if (taken.length === 2) {
    const i = taken.findIndex((value) => value?.kind === "constant");
    if (i >= 0) {
      return reader.scaled(reader.from(1 - i), taken[i] as Constant, "plus", (c) => c);
    }
  }
  const values = taken.map((_, i) => reader.from(i));
  if (values.length === 1) return values[0];
  const [first] = values;
  if (first === undefined) return reader.refuseNode("adds nothing");
  if (values.some(({ dims }) => textOfShape(dims) !== textOfShape(first.dims))) {
    reader.refuseNode(
      `adds ${values.map(({ dims }) => `[batch,${dims}]`).join(" and ")}`,
      "computed values have to be of one shape",
    );
  }
  // Of one shape in the file, they may be rows and maps here.
  const maps = values.find(({ shape }) => shape.length === 3)?.shape as Maps | undefined;
  const alike = maps ? values.map((value) => reader.asMaps(value, maps)) : values;
  return reader.push({ operation: "add" }, alike, first.dims);
}

function softmax(reader: Reader, name: "Softmax" | "LogSoftmax"): Given {
  const value = reader.from(), rank = value.dims.length + 1;
  const axis = reader.number("axis", reader.model.opset < 13 ? 1 : -1);
  const d = (axis < 0 ? axis + rank : axis) - 1;
  const isWhole = value.dims[d] === sizeOfShape(value.dims) ||
    reader.model.opset < 13 && d === 0; // it takes all behind the axis as one
  if (!isWhole) {
    reader.refuseNode(
      `goes along axis ${axis} of [batch,${value.dims}]`,
      "it has to take all of a sample's values",
    );
  }
  return { ...value, softmax: name };
}

/** An activation, of a family with the numbers that the file says. */
function activated(reader: Reader): Value {
  const { node } = reader, value = reader.from();
  const { name, onnxNumbers = {} }: Activation = activationBy.get(node.operator)!;
  const { unsaid }: Partial<Family> = Object.hasOwn(families, name)
    ? families[name as FamilyName]
    : {};
  const numbers = Object.keys(onnxNumbers).map((key, i) =>
    reader.number(key, reader.constant(i + 1)?.tensor.data[0] ?? unsaid![i])
  ).map((number) => Math.abs(number) < LARGEST ? number : number * Infinity);
  if (node.operator === "Gelu" && reader.text("approximate", "none") !== "tanh") {
    reader.refuseNode(
      "is the exact gelu",
      'gelu is in its tanh form here: export it with approximate="tanh"',
    );
  }
  const [low, high] = numbers;
  if (node.operator === "Clip" && high === Infinity) {
    if (low === -Infinity) return value;
    if (low === 0) return reader.push({ operation: "relu" }, [value], value.dims);
  }
  // A step unit, which ONNX lacks, is written as the relu of a sign.
  if (name === "relu" && value.alone && reader.nodes[value.node]?.operation === "sign") {
    reader.nodes[value.node] = { ...reader.nodes[value.node], operation: "step" } as Node;
    return value;
  }
  return reader.push({ operation: activationWith(reader, name, numbers) }, [value], value.dims);
}

/** The name of a family's activation with those numbers, or of the only one. */
function activationWith(reader: Reader, name: string, numbers: readonly number[]) {
  if (numbers.length === 0) return name as NamedActivation;
  const family: Family = families[name as FamilyName];
  try {
    return family.of(...numbers).name as NamedActivation;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return reader.refuseNode(`has ${numbers.join(" and ")}`, `here ${error.message}`);
  }
}

/**
 * The network of an ONNX model, with its weights.
 * @throws {SyntaxError} in one line naming the operator and the node that is not known here, or whose
 *   numbers or shapes are not.
 */
export function networkOfOnnx(
  model: OnnxModel,
  fileName: string,
  { loss, epsilon }: { loss?: Loss; epsilon?: number } = {},
): OnnxNetwork {
  const reader = new Reader(model, fileName);
  for (const node of model.nodes) {
    reader.node = node;
    reader.read = new Set(IDLE);
    const operation = OPERATIONS[node.operator] ??
      (activationBy.has(node.operator) ? activated : undefined);
    if (!Object.hasOwn(OPERATIONS, node.operator) && operation !== activated) {
      reader.refuseNode("is not known here", `known are ${OPERATORS.join(", ")}`);
    }
    const value = operation!(reader);
    const strange = [...node.attributes.keys()].find((name) => !reader.read.has(name));
    if (strange !== undefined) reader.refuseNode(`has the attribute ${quote(strange)}`);
    const more = node.outputs.slice(1).find((name) => reader.use(name) > 0);
    if (more !== undefined) reader.refuseNode(`gives a second value, ${quote(more)}, that is used`);
    const [name] = node.outputs;
    if (!name) reader.refuseNode("gives nothing");
    reader.values.set(
      name,
      value.kind === "constant"
        ? value
        : { ...value, alone: value.alone && reader.use(name) === 1 },
    );
  }
  return finish(reader, { loss, epsilon });
}

/** Puts the last layer where it belongs, and lays out the weights. */
function finish(reader: Reader, options: { loss?: Loss; epsilon?: number }): OnnxNetwork {
  const { model, nodes, weights } = reader;
  const last = reader.values.get(model.outputs[0].name)!;
  if (last.kind === "constant") return reader.refuse("its output is constant");
  // Names alone may follow the last layer.
  let end = nodes.length - 1;
  while (
    end === last.node && end >= 0 &&
    ["reshape", "flatten", "dropout"].includes(nodes[end].operation) &&
    nodes[end].from![0] === end - 1
  ) {
    nodes.pop();
    end--;
    if (last.node > end) Object.assign(last, { node: end });
  }
  const outputs = sizeOfShape(last.shape);
  if (last.node !== end) {
    reader.refuse(
      "it computes values that its output does not take",
      "remove the nodes that lead nowhere",
    );
  }
  const before = new Map<string, Weight>();
  const final = nodes[end];
  let closed: string | undefined, behind: Weight[];
  if (final?.operation === "dense" && (final.from![0] === end - 1)) {
    behind = weights.get(end)!;
    nodes.pop();
  } else {
    if (outputs > MOST_CLOSED) {
      reader.refuse(
        `it ends in no dense layer, and gives ${outputs} values a sample`,
        `at most ${MOST_CLOSED} are read so`,
      );
    }
    closed = model.nodes.find(({ outputs: [name] }) => name === model.outputs[0].name)?.operator ??
      "its input";
    const identity = new Float64Array(outputs * outputs);
    for (let k = 0; k < outputs; k++) identity[k * (outputs + 1)] = 1;
    behind = [{ data: identity }, { data: new Float64Array(outputs) }];
  }
  const input = [...reader.values.values()].find((value): value is Given =>
    value.kind === "given" && value.node === DATA
  )!;
  let network: Network;
  try {
    network = connect({
      inputs: sizeOfShape(input.shape),
      inputShape: input.shape,
      classes: outputs,
      nodes,
      ...options,
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return reader.refuse(error.message.replace(/^Cannot /, "we cannot "));
  }
  const all = [...nodes.keys()].flatMap((i) => weights.has(i) ? [weights.get(i)!] : []);
  [...all, behind].forEach(([matrix, bias], l) => {
    before.set(`W${l + 1}`, matrix);
    before.set(`b${l + 1}`, bias);
  });
  const parameters = new Float64Array(network.parameters);
  let offset = 0;
  const said = new Map<string, { name: string; shape: readonly number[]; turned: boolean }>();
  for (const [ours, { data, of }] of before) {
    parameters.set(data, offset);
    offset += data.length;
    if (!of?.initializer) continue;
    const { name, shape } = of.initializer;
    if ([...said.values()].some((other) => other.name === name)) {
      reader.refuse(
        `initializer ${quote(name)} is the weights of two layers`,
        "export it with a copy for each",
      );
    }
    said.set(ours, { name, shape, turned: of.turned });
  }
  const names = namesOf(network, said), { softmax } = last, { notes } = reader;
  const values = new Map(
    [...reader.values].flatMap(([name, value]): [string, number][] =>
      value.kind === "given" && value.node !== DATA && value.node <= network.nodes.length
        ? [[name, value.node]]
        : []
    ),
  );
  return { network, parameters, names, softmax, closed, values, notes };
}

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
    if (name === "gelu") {
      opset = 20;
      return add(onnx, [value], [["approximate", "tanh"]]);
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
