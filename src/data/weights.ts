/**
 * What the tensors of a file mean: a network's weights W1, b1, W2, b2, ..., a batch x and t, and
 * gradients named like the weights behind a prefix.
 *
 * NumPy's files hold W1 as [inputs, outputs], a convolution's as [out, in, height, width], which is
 * PyTorch's order, and x as [batch, inputs] or [batch, channels, height, width]. R fills arrays by
 * their first dimension, and its HDF5 library stores them turned around: [outputs, inputs],
 * [width, height, in, out]. Which of the two a file is, its shapes tell.
 */

import {
  layerName,
  type Network,
  type ParameterTensor,
  parameterTensors,
  type Shape,
  sizeOfShape,
  textOfShape,
  weightedLayers,
} from "../core/network.ts";
import type { Samples } from "./samples.ts";
import type { Tensor, Tensors } from "./tensors.ts";

/** Whose order of dimensions a file has. */
export const LAYOUTS = ["numpy", "r"] as const;
export type Layout = (typeof LAYOUTS)[number];

/** Why tensors do not fit what is to be read out of them. */
class Misfit extends Error {}

/** A tensor for people: W1 [784,50]. */
const named = (name: string, { shape }: Tensor) => `${name} [${shape}]`;

/**
 * Reads tensors in the layout given, or else in the one that their shapes fit.
 * @param read what is to be read; it is called with each layout in question.
 * @throws {TypeError} when no layout fits, saying why, or when both do.
 */
export function inLayout<T>(
  fileName: string,
  layout: Layout | undefined,
  read: (layout: Layout) => T,
): { layout: Layout; value: T } {
  const reasons: string[] = [], fits: { layout: Layout; value: T }[] = [];
  for (const candidate of layout ? [layout] : LAYOUTS) {
    try {
      fits.push({ layout: candidate, value: read(candidate) });
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      reasons.push(error.message);
    }
  }
  if (fits.length === 1) return fits[0];
  if (fits.length > 1) {
    throw new TypeError(
      `Cannot tell how ${fileName} holds its matrices: the shapes fit NumPy's order of dimensions ` +
        `and R's; say which with --layout numpy or --layout r`,
    );
  }
  const [first, second = first] = reasons;
  throw new TypeError(
    `Cannot use ${fileName}: ` +
      (first === second ? first : `as NumPy orders dimensions, ${first}; as R does, ${second}`),
  );
}

/** The only layout in which something can be read; undefined where it is none, or both. */
export function onlyLayout(read: (layout: Layout) => unknown): Layout | undefined {
  const fits = LAYOUTS.filter((layout) => {
    try {
      read(layout);
      return true;
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      return false;
    }
  });
  return fits.length === 1 ? fits[0] : undefined;
}

/** The tensor of that name. */
function find(tensors: Tensors, name: string): Tensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Misfit(`it has no ${name}`);
  return tensor;
}

/** A tensor whose dimensions are turned around, the last first: a matrix is transposed. */
function turned({ shape, data }: Tensor): Tensor {
  // How far apart in what is turned the neighbours along each of the given dimensions lie.
  const steps = shape.map((_, d) => sizeOfShape(shape.slice(0, d)));
  const at = shape.map(() => 0), result = new Float64Array(data.length);
  let to = 0;
  for (const value of data) {
    result[to] = value;
    for (let d = shape.length - 1; d >= 0; d--) { // the next index, the last dimension fastest
      to += steps[d];
      if (++at[d] < shape[d]) break;
      to -= steps[d] * shape[d];
      at[d] = 0;
    }
  }
  return { shape: shape.toReversed(), data: result };
}

/** A tensor as NumPy orders it. */
function ordered(tensors: Tensors, name: string, layout: Layout): Tensor {
  const tensor = find(tensors, name);
  return layout === "r" ? turned(tensor) : tensor;
}

/** A matrix as NumPy orders it. */
function matrix(tensors: Tensors, name: string, layout: Layout): Tensor {
  const tensor = ordered(tensors, name, layout);
  if (tensor.shape.length !== 2) {
    const maps = tensor.shape.length === 4
      ? ", but a convolution's: say the network that it is of, as --network does"
      : "";
    throw new Misfit(`${named(name, find(tensors, name))} is no matrix of two dimensions${maps}`);
  }
  return tensor;
}

/** A vector, also where it is stored as a row or a column. */
function vector(tensors: Tensors, name: string): Float64Array {
  const tensor = find(tensors, name);
  if (tensor.shape.filter((length) => length !== 1).length > 1) {
    throw new Misfit(`${named(name, tensor)} is no vector, row or column`);
  }
  return tensor.data;
}

/** Weights found in a file. */
export interface Weights {
  /** Inputs, hidden widths, classes. */
  readonly widths: number[];
  readonly parameters: Float64Array; // [parameters]
}

/** The largest number of a W or b, 1 at least. */
function depthOf(tensors: Tensors): number {
  const numbers = [...tensors.keys()].map((name) => /^[Wb]([1-9]\d?)$/.exec(name)?.[1] ?? 0);
  return Math.max(1, ...numbers.map(Number));
}

/** How many classes weights tell apart: the length of the last bias. */
export function classesIn(tensors: Tensors): number {
  return vector(tensors, `b${depthOf(tensors)}`).length;
}

/** Reads W1, b1, W2, b2, ... of dense layers, as far as they go; the shapes must chain. */
export function weightsIn(tensors: Tensors, layout: Layout): Weights {
  const depth = depthOf(tensors);
  for (let l = 1; l <= depth; l++) { // what is missing is so in either layout
    find(tensors, `W${l}`);
    find(tensors, `b${l}`);
  }
  const widths: number[] = [], parts: Float64Array[] = [];
  for (let l = 1; l <= depth; l++) {
    const { shape: [inputs, outputs], data } = matrix(tensors, `W${l}`, layout);
    if (l > 1 && inputs !== widths[l - 1]) {
      throw new Misfit(`W${l} takes ${inputs} values where W${l - 1} gives ${widths[l - 1]}`);
    }
    const bias = vector(tensors, `b${l}`);
    if (bias.length !== outputs) {
      throw new Misfit(`b${l} has ${bias.length} values where W${l} gives ${outputs}`);
    }
    if (l === 1) widths.push(inputs);
    widths.push(outputs);
    parts.push(data, bias);
  }
  const parameters = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    parameters.set(part, offset);
    offset += part.length;
  }
  return { widths, parameters };
}

/**
 * Reads the weights of a network whose operations are known, W1, b1, W2, b2, ...
 * @throws {TypeError} by way of `inLayout`, naming the first that is not the network's, and its layer.
 */
export function parametersIn(tensors: Tensors, network: Network, layout: Layout): Float64Array {
  const found = namedLikeWeights(tensors, "", network, layout);
  const all = parameterTensors(network), missing = all.find(({ name }) => !found.has(name));
  if (missing) throw new Misfit(`it has no ${missing.name}`);
  const depth = depthOf(tensors), layers = weightedLayers(network.layers).length;
  if (depth > layers) {
    throw new Misfit(`it has W${depth}, and the network has weights in ${layers} layers`);
  }
  const parameters = new Float64Array(network.parameters);
  for (const { name, offset } of all) parameters.set(found.get(name)!, offset);
  return parameters;
}

/** The shape of a batch's samples, where its x says one: [batch, channels, height, width]. */
export function sampleShapeIn(tensors: Tensors, layout: Layout): Shape | undefined {
  const { shape = [] } = tensors.get("x") ?? {};
  if (shape.length !== 4) return undefined;
  const [, channels, height, width] = layout === "r" ? shape.toReversed() : shape;
  return [channels, height, width];
}

/**
 * Builds what takes samples of the shape that x says in some layout: where they do not fit into it,
 * it is not the file's layout, or not its network.
 */
export function throughSamples<T>(shape: Shape, build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const reason = error.message.replace("Cannot build ", "");
    throw new Misfit(`x's samples of ${textOfShape(shape)} do not go through ${reason}`);
  }
}

/**
 * Reads a batch: x [batch, inputs] or [batch, channels, height, width], and t as labels [batch] or
 * one-hot rows [batch, classes].
 */
export function batchIn(
  tensors: Tensors,
  layout: Layout,
  { inputs, inputShape, classes }: Pick<Network, "inputs" | "inputShape" | "classes">,
): Samples {
  const maps = sampleShapeIn(tensors, layout);
  const { shape: [count, ...rest], data } = maps
    ? ordered(tensors, "x", layout)
    : matrix(tensors, "x", layout);
  if (sizeOfShape(rest) !== inputs) {
    throw new Misfit(`x has ${textOfShape(rest)} values a sample where W1 takes ${inputs}`);
  }
  if (maps && inputShape.length === 3 && textOfShape(maps) !== textOfShape(inputShape)) {
    throw new Misfit(
      `x has samples of ${textOfShape(maps)} where the network takes ${textOfShape(inputShape)}`,
    );
  }
  const t = find(tensors, "t");
  const labels = new Uint16Array(count);
  const isVector = t.shape.filter((length) => length !== 1).length <= 1;
  if (isVector && t.data.length === count && !(count === 1 && classes === 1)) {
    t.data.forEach((label, n) => {
      if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
        throw new Misfit(`t[${n}] is ${label}: a label is a whole number from 0 to ${classes - 1}`);
      }
      labels[n] = label;
    });
    return { count, inputs, x: data, labels };
  }
  const rows = t.shape.length === 2 ? matrix(tensors, "t", layout) : t;
  if (rows.shape[0] !== count || rows.shape[1] !== classes) {
    throw new Misfit(
      `${named("t", t)} is neither ${count} labels nor ${count} one-hot rows of ${classes}`,
    );
  }
  for (let n = 0; n < count; n++) {
    const row = rows.data.subarray(n * classes, (n + 1) * classes);
    labels[n] = row.indexOf(1);
    if (row.filter((value) => value !== 0).length !== 1 || !row.includes(1)) {
      throw new Misfit(`row ${n} of t is not one-hot: it takes a single 1 among zeros`);
    }
  }
  return { count, inputs, x: data, labels };
}

/**
 * Reads a vector of the parameters' length out of tensors named like the weights behind a prefix.
 * @returns the tensors that there are, by the weights' names, row-major as in the network.
 */
export function namedLikeWeights(
  tensors: Tensors,
  prefix: string,
  network: Network,
  layout: Layout,
): Map<string, Float64Array> {
  const found = new Map<string, Float64Array>();
  for (const { name, shape, size } of parameterTensors(network)) {
    const full = prefix + name;
    if (!tensors.has(full)) continue;
    if (shape.length === 1) {
      const data = vector(tensors, full);
      if (data.length !== size) throw new Misfit(`${full} has ${data.length} values, not ${size}`);
      found.set(name, data);
      continue;
    }
    const { shape: theirs, data } = ordered(tensors, full, layout);
    if (textOfShape(theirs) !== textOfShape(shape)) {
      throw new Misfit(
        `${full} is ${textOfShape(theirs)} where ${name} of ${ownerOf(network, name)} is ` +
          textOfShape(shape),
      );
    }
    found.set(name, data);
  }
  return found;
}

/** The layer that a tensor belongs to, for people. */
function ownerOf(network: Network, name: string): string {
  const layer = weightedLayers(network.layers)[Number(name.slice(1)) - 1];
  return layerName(network, network.layers.indexOf(layer));
}

/** The shape that a tensor of the network has in a file: vectors are R's matrices of one row. */
function storedShape({ shape }: ParameterTensor, layout: Layout): readonly number[] {
  if (layout === "numpy") return shape;
  return shape.length === 1 ? [shape[0], 1] : shape.toReversed();
}

/**
 * A vector of the parameters' length as tensors W1, b1, W2, ...
 * @param like a file's tensors, whose shapes are kept where they hold the same names.
 */
export function asTensors(
  network: Network,
  parameters: Float64Array, // [parameters]
  layout: Layout,
  like: Tensors = new Map(),
): Tensors {
  return new Map(
    parameterTensors(network).map((tensor) => {
      const { name, offset, size } = tensor;
      const data = parameters.slice(offset, offset + size);
      return [name, {
        shape: like.get(name)?.shape ?? storedShape(tensor, layout),
        data: layout === "r" ? turned({ shape: tensor.shape, data }).data : data,
      }];
    }),
  );
}
