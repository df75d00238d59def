/**
 * What the tensors of a file mean: a network's weights W1, b1, W2, b2, ..., a batch x and t, and
 * gradients named like the weights behind a prefix.
 *
 * NumPy's files hold W1 as [inputs, outputs]. R fills matrices by columns, and its HDF5 library
 * stores them turned around: [outputs, inputs]. Which of the two a file is, its shapes tell.
 */

import { type Network, type ParameterTensor, parameterTensors } from "../core/network.ts";
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

/** A matrix turned around: [rows, columns] to [columns, rows]. */
function transposed({ shape: [rows, columns], data }: Tensor): Tensor {
  const turned = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j];
  }
  return { shape: [columns, rows], data: turned };
}

/** A matrix as NumPy orders it. */
function matrix(tensors: Tensors, name: string, layout: Layout): Tensor {
  const tensor = find(tensors, name);
  if (tensor.shape.length !== 2) {
    throw new Misfit(`${named(name, tensor)} is no matrix of two dimensions`);
  }
  return layout === "r" ? transposed(tensor) : tensor;
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

/** Reads W1, b1, W2, b2, ..., as far as they go; the shapes must chain. */
export function weightsIn(tensors: Tensors, layout: Layout): Weights {
  const depth = Math.max(
    1,
    ...[...tensors.keys()].map((name) => Number(/^[Wb]([1-9]\d?)$/.exec(name)?.[1] ?? 0)),
  );
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

/** Reads a batch: x [batch, inputs], and t as labels [batch] or one-hot rows [batch, classes]. */
export function batchIn(
  tensors: Tensors,
  layout: Layout,
  inputs: number,
  classes: number,
): Samples {
  const { shape: [count, width], data } = matrix(tensors, "x", layout);
  if (width !== inputs) throw new Misfit(`x has ${width} values a sample where W1 takes ${inputs}`);
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
    const { shape: [rows, columns], data } = matrix(tensors, full, layout);
    if (rows !== shape[0] || columns !== shape[1]) {
      throw new Misfit(
        `${full} is ${rows}x${columns} where ${name} is ${shape.join("x")}`,
      );
    }
    found.set(name, data);
  }
  return found;
}

/** The shape that a tensor of the network has in a file: vectors are R's matrices of one row. */
function storedShape({ shape }: ParameterTensor, layout: Layout): readonly number[] {
  return layout === "r" ? [shape.at(-1)!, shape.length === 1 ? 1 : shape[0]] : shape;
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
      const turned = layout === "r" && tensor.shape.length === 2;
      return [name, {
        shape: like.get(name)?.shape ?? storedShape(tensor, layout),
        data: turned ? transposed({ shape: tensor.shape, data }).data : data,
      }];
    }),
  );
}
