/**
 * What reads an ONNX graph: what each of its values is so far, constant or computed from the data, and
 * the operations of ours that it comes to. Shapes are tracked without the batch, whose length is the
 * first of every value that is not constant.
 */

import { DATA, type Node } from "../core/network.ts";
import { type StructureName, structures } from "../operations/registry.ts";
import {
  type Maps,
  type Pair,
  type Shape,
  sizeOfShape,
  type Structure,
  textOfShape,
} from "../operations/structure.ts";
import { quote, type Tensor } from "./elements.ts";
import { type Attribute, nodeTitle, type OnnxModel, type OnnxNode } from "./onnx.ts";
import { turned } from "./weights.ts";

/** Values a sample, and weights, at most: more are taken for a hostile file, or are out of reach. */
const MOST_VALUES = 2 ** 22, MOST_WEIGHTS = 2 ** 26;
/** Something constant: numbers, and the initializer that they are. */
export interface Constant {
  readonly kind: "constant";
  readonly tensor: Tensor;
  readonly initializer?: { readonly name: string; readonly shape: readonly number[] };
  /** Whether a matrix was transposed since. */
  readonly turned: boolean;
}

/** What an operation of ours gives. */
export interface Given {
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

export type Value = Constant | Given;

/** A tensor of a node's weights: its numbers as ours lie, and what it is in the file. */
export interface Weight {
  readonly data: Float64Array;
  readonly of?: Constant;
}

/** Reads one graph. */
export class Reader {
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

/** Our shape of data: maps where there are three lengths, else a row. */
export function shapeOfDims(dims: readonly number[], reader: Reader): Shape {
  const size = sizeOfShape(dims);
  if (!(size >= 1 && size <= MOST_VALUES)) {
    reader.refuse(`its input has ${size} values a sample`, `give 1 to ${MOST_VALUES}`);
  }
  return dims.length === 3 ? [dims[0], dims[1], dims[2]] : [size];
}

/** A constant of these lengths, each 1 or the value's, written out for each of its values. */
export function expand(data: Float64Array, lengths: readonly number[], dims: readonly number[]) {
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
