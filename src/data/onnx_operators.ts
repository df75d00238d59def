/**
 * ONNX's operators, each as what it comes to here. What only renames or is constant is folded.
 */

import type { Activation as NamedActivation, Node } from "../core/network.ts";
import type { Activation } from "../operations/activation.ts";
import type { Family } from "../operations/family.ts";
import {
  activations,
  families,
  type FamilyName,
  type StructureName,
  structures,
} from "../operations/registry.ts";
import { type Maps, sizeOfShape, type Structure, textOfShape } from "../operations/structure.ts";
import { quote, type Tensor } from "./elements.ts";
import { type Attribute, nodeTitle } from "./onnx.ts";
import type { Constant, Given, Reader, Value } from "./onnx_reader.ts";
import { turned } from "./weights.ts";

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
  if (node.operator === "Gelu") {
    const isTanh = reader.text("approximate", "none") === "tanh";
    return reader.push({ operation: isTanh ? "gelu" : "gelu exact" }, [value], value.dims);
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

/** What an operator comes to; undefined where it is not known here. */
export const operationOf = (operator: string): ((reader: Reader) => Value) | undefined =>
  Object.hasOwn(OPERATIONS, operator)
    ? OPERATIONS[operator]
    : activationBy.has(operator)
    ? activated
    : undefined;
