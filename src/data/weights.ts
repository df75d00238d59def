/**
 * What the tensors of a file mean: a network's weights W1, b1, W2, b2, ..., a batch x and t, and
 * gradients named like the weights behind a prefix, or before a suffix. A file may have other names
 * for the weights: those that PyTorch gives, or those in an ONNX file.
 *
 * NumPy's files hold W1 as [inputs, outputs], a convolution's as [out, in, height, width], which is
 * PyTorch's order, and x as [batch, inputs] or [batch, channels, height, width]. R fills arrays by
 * their first dimension, and its HDF5 library stores them turned around: [outputs, inputs],
 * [width, height, in, out]. Which of the two a file is, its shapes tell.
 */

import {
  layerName,
  type Network,
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

/** What a file calls one of the weights' tensors, and how it lies there. */
export interface Naming {
  readonly name: string;
  /** As NumPy would order it. */
  readonly shape: readonly number[];
  /** Whether it is a matrix [outputs, inputs]: the weights of a dense layer, as PyTorch has them. */
  readonly turned: boolean;
}

/** What a file calls the weights, by our names W1, b1, W2, ..., in their order. */
export type Names = ReadonlyMap<string, Naming>;

/** All names of a network's weights: those that are said, and ours for the rest. */
export function namesOf(network: Network, said: ReadonlyMap<string, Naming> = new Map()): Names {
  const taken = new Set([...said.values()].map(({ name }) => name));
  return new Map(
    parameterTensors(network).map(({ name, shape }) => {
      const naming = said.get(name);
      if (naming) return [name, naming];
      let free = name;
      while (taken.has(free)) free += "_";
      taken.add(free);
      return [name, { name: free, shape, turned: false }];
    }),
  );
}

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

/** Says to `inLayout` why a file has not the layout in question. */
export function refuseLayout(reason: string): never {
  throw new Misfit(reason);
}

/**
 * The first of several candidates that a file fits.
 * @throws {TypeError} by way of `inLayout`, why the last does not.
 */
export function firstFit<C, T>(candidates: readonly C[], read: (candidate: C) => T): T {
  let reason = new Misfit("its last weights are no matrix");
  for (const candidate of candidates) {
    try {
      return read(candidate);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      reason = error;
    }
  }
  throw reason;
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
export function turned({ shape, data }: Tensor): Tensor {
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
export function ordered(tensors: Tensors, name: string, layout: Layout): Tensor {
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

/** Weights as PyTorch names them: a module's, [outputs, inputs] or [out, in, height, width]. */
const MODULE = /^(.+)\.weight$/;

/** The modules of a file with PyTorch's names, none where it has W1: gradients are left out. */
export function modulesIn(tensors: Tensors, affix: string): string[] {
  if (tensors.has("W1")) return [];
  return [...tensors.keys()].flatMap((name) => {
    const module = MODULE.exec(name)?.[1];
    const isGradient = module !== undefined && affix !== "" && name.startsWith(affix) &&
      tensors.has(name.slice(affix.length));
    return module === undefined || isGradient ? [] : [module];
  });
}

/** Steps of a search for an order of modules, at most. */
const MOST_STEPS = 100_000;

/**
 * The only order of modules in which each fits where it stands; where there are several, that of the
 * numbers in their names, if these differ in nothing else.
 * @param fits whether a module fits at a place, behind another.
 */
function orderOf(
  modules: readonly string[],
  fits: (module: string, place: number, before: string | undefined) => boolean,
): string[] {
  const orders: string[][] = [], left = new Set(modules);
  let steps = 0;
  const search = (order: string[]) => {
    if (orders.length > 1 || ++steps > MOST_STEPS) return;
    if (left.size === 0) orders.push([...order]);
    for (const module of [...left]) {
      if (!fits(module, order.length, order.at(-1))) continue;
      left.delete(module);
      search([...order, module]);
      left.add(module);
    }
  };
  search([]);
  if (orders.length === 1 && steps <= MOST_STEPS) return orders[0];
  const byNumber = modules.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const isFit = byNumber.every((module, l) => fits(module, l, byNumber[l - 1]));
  const kinds = new Set(modules.map((module) => module.replaceAll(/\d+/g, "#")));
  if (isFit && kinds.size === 1) return byNumber;
  const list = modules.map((module) => `${module}.weight`).join(", ");
  if (orders.length === 0 && steps <= MOST_STEPS) {
    throw new Misfit(`in no order do the shapes of ${list} fit the network's layers`);
  }
  throw new Misfit(
    `the shapes of ${list} fit the network's layers in more than one order, and their names tell none`,
  );
}

/** Reads the widths of dense layers out of modules that PyTorch names, in the order in which they chain. */
export function moduleWidths(
  tensors: Tensors,
  modules: readonly string[],
  layout: Layout,
): { widths: number[]; order: string[] } {
  const shape = (module: string) => {
    const { shape } = matrix(tensors, `${module}.weight`, layout);
    return { inputs: shape[1], outputs: shape[0] };
  };
  const order = orderOf(
    modules,
    (module, _, before) => before === undefined || shape(module).inputs === shape(before).outputs,
  );
  return {
    order,
    widths: [shape(order[0]).inputs, ...order.map((module) => shape(module).outputs)],
  };
}

/** The names of a network's weights in a file where PyTorch gave them, by order and shape. */
export function moduleNames(
  tensors: Tensors,
  modules: readonly string[],
  network: Network,
  layout: Layout,
  known?: readonly string[],
): Names {
  const all = parameterTensors(network), layers = weightedLayers(network.layers);
  if (modules.length !== layers.length) {
    throw new Misfit(
      `it has weights of ${modules.length} modules (${modules.join(", ")}), and the network has ` +
        `weights in ${layers.length} layers`,
    );
  }
  const stored = (l: number) => {
    const { shape } = all.find(({ name }) => name === `W${l + 1}`)!;
    return layers[l].kind === "dense" ? shape.toReversed() : shape;
  };
  const order = known ?? orderOf(modules, (module, l) => {
    const { shape } = ordered(tensors, `${module}.weight`, layout);
    return textOfShape(shape) === textOfShape(stored(l));
  });
  const statistic = order.find((module) => tensors.has(`${module}.running_mean`));
  if (statistic !== undefined) {
    throw new Misfit(
      `${statistic} is a batch norm with a mean of its own: export the model to ONNX`,
    );
  }
  return namesOf(
    network,
    new Map(order.flatMap((module, l): [string, Naming][] => {
      const turned = layers[l].kind === "dense";
      const bias = all.find(({ name }) => name === `b${l + 1}`)!;
      return [
        [`W${l + 1}`, { name: `${module}.weight`, shape: stored(l), turned }],
        [`b${l + 1}`, { name: `${module}.bias`, shape: bias.shape, turned: false }],
      ];
    })),
  );
}

/** The outputs of modules that may be a network's last layer: each is how many classes there may be. */
export function moduleClasses(
  tensors: Tensors,
  modules: readonly string[],
  layout: Layout,
): number[] {
  const shapes = modules.map((module) => ordered(tensors, `${module}.weight`, layout).shape);
  return [...new Set(shapes.flatMap((shape) => shape.length === 2 ? [shape[0]] : []))];
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
export function parametersIn(
  tensors: Tensors,
  network: Network,
  layout: Layout,
  names: Names = namesOf(network),
): Float64Array {
  const found = namedLikeWeights(tensors, "", network, layout, names);
  const all = parameterTensors(network), missing = all.find(({ name }) => !found.has(name));
  if (missing) throw new Misfit(`it has no ${names.get(missing.name)!.name}`);
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

/** Whether a row is 1 in one place and 0 elsewhere. */
export const isOneHot = (row: Float64Array): boolean =>
  row.includes(1) && row.filter((value) => value !== 0).length === 1;

/**
 * Reads a batch: x [batch, inputs] or [batch, channels, height, width], and t as labels [batch] or
 * one-hot rows [batch, classes]; with the squared error as rows of any numbers, too.
 */
export function batchIn(
  tensors: Tensors,
  layout: Layout,
  { inputs, inputShape, classes, loss }: Pick<
    Network,
    "inputs" | "inputShape" | "classes" | "loss"
  >,
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
  const isRegression = loss === "squared-error";
  if (isRegression && isVector && t.data.length === count && classes === 1) {
    return { count, inputs, x: data, labels, targets: t.data };
  }
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
    if (isOneHot(row)) continue;
    if (isRegression) {
      return { count, inputs, x: data, labels: new Uint16Array(count), targets: rows.data };
    }
    throw new Misfit(
      `row ${n} of t is not one-hot: it takes a single 1 among zeros, or --loss squared-error, ` +
        `which takes any numbers`,
    );
  }
  return { count, inputs, x: data, labels };
}

/** The tensor that is named like one of the weights behind a prefix, or else before a suffix. */
export function affixed(tensors: Tensors, affix: string, name: string): string | undefined {
  return [affix + name, name + affix].find((full) => tensors.has(full));
}

/**
 * Reads a vector of the parameters' length out of tensors named like the weights with a prefix or a
 * suffix.
 * @returns the tensors that there are, by our names of the weights, row-major as in the network.
 */
export function namedLikeWeights(
  tensors: Tensors,
  affix: string,
  network: Network,
  layout: Layout,
  names: Names = namesOf(network),
): Map<string, Float64Array> {
  const found = new Map<string, Float64Array>();
  for (const { name, shape, size } of parameterTensors(network)) {
    const naming = names.get(name)!, full = affixed(tensors, affix, naming.name);
    if (full === undefined) continue;
    if (shape.length === 1) {
      const data = vector(tensors, full);
      if (data.length !== size) throw new Misfit(`${full} has ${data.length} values, not ${size}`);
      found.set(name, data);
      continue;
    }
    const tensor = ordered(tensors, full, layout);
    if (textOfShape(tensor.shape) !== textOfShape(naming.shape)) {
      throw new Misfit(
        `${full} is ${textOfShape(tensor.shape)} where ${naming.name} of ${
          ownerOf(network, name)
        } is ${textOfShape(naming.shape)}`,
      );
    }
    found.set(name, naming.turned ? turned(tensor).data : tensor.data);
  }
  return found;
}

/** The layer that a tensor belongs to, for people. */
function ownerOf(network: Network, name: string): string {
  const layer = weightedLayers(network.layers)[Number(name.slice(1)) - 1];
  return layerName(network, network.layers.indexOf(layer));
}

/** The shape that a tensor of the network has in a file: vectors are R's matrices of one row. */
function storedShape({ shape }: Naming, layout: Layout): readonly number[] {
  if (layout === "numpy") return shape;
  return shape.length === 1 ? [shape[0], 1] : shape.toReversed();
}

/**
 * A vector of the parameters' length as tensors W1, b1, W2, ..., or as a file names these.
 * @param like a file's tensors, whose shapes are kept where they hold the same names.
 */
export function asTensors(
  network: Network,
  parameters: Float64Array, // [parameters]
  layout: Layout,
  like: Tensors = new Map(),
  names: Names = namesOf(network),
): Tensors {
  return new Map(
    parameterTensors(network).map(({ name, shape, offset, size }) => {
      const naming = names.get(name)!;
      const ours = { shape, data: parameters.slice(offset, offset + size) };
      const data = naming.turned ? turned(ours).data : ours.data;
      return [naming.name, {
        shape: like.get(naming.name)?.shape ?? storedShape(naming, layout),
        data: layout === "r" ? turned({ shape: naming.shape, data }).data : data,
      }];
    }),
  );
}
