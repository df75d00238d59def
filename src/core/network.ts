/**
 * What a network is: operations in topological order, its loss, and where each parameter lies in
 * one flat vector.
 *
 * Engines compute layers: a dense layer or a sum of earlier values, with the activation behind it.
 * The weight matrix and the bias of a dense layer lie behind one another, so that its parameters
 * are one row-major matrix [inputs + 1, outputs] whose last row is the bias. Values carry a
 * constant 1 after their last unit to match. A bias is then a weight like any other, here and in
 * every kernel.
 */

import {
  type ActivationName,
  activationOf,
  activations,
  losses,
  type LossName,
  type StructureName,
  structures,
} from "../operations/registry.ts";
import {
  type Kind,
  type Maps,
  type Pair,
  type Shape,
  sizeOfShape,
  type Structure,
  type Tensor,
  textOfShape,
  type Window,
} from "../operations/structure.ts";
import { skippedBy } from "../operations/window.ts";

export { type Maps, type Shape, sizeOfShape, textOfShape, type Window };

/** The names of activations. */
export type Activation = Exclude<ActivationName, "identity">;
export const ACTIVATIONS: readonly Activation[] = Object.keys(activations)
  .filter((name): name is Activation => name !== "identity");

/** The names of losses of the output layer. */
export type Loss = LossName;
export const LOSSES: readonly Loss[] = Object.keys(losses) as Loss[];

/** The most classes that are told apart: labels and predictions are numbers of 16 bits. */
export const MAX_CLASSES = 65536;

/** The small number the tutorial adds inside the logarithm of its cross-entropy. */
export const TUTORIAL_EPSILON = 1e-7;

/** Stands for the data among the numbers of nodes and layers. */
export const DATA = -1;

/** What each operation on whole layers is told. */
type Structured = {
  [K in StructureName]: { readonly operation: K } & Parameters<(typeof structures)[K]["words"]>[0];
}[StructureName];

/** One operation of a network. */
export type Node =
  & {
    /** The nodes that it takes, each an earlier one, or `DATA`. Default the node before. */
    readonly from?: readonly number[];
  }
  & (Structured | { readonly operation: Activation });

/**
 * What engines compute at a time, with the activation behind it: z = [a, 1] W (dense), the sum of
 * what it takes, or what a window makes of maps (conv, maxpool, avgpool).
 */
export interface Layer {
  readonly kind: Kind;
  /** The layers whose values it takes, or `DATA`: one, and for a sum one or more. */
  readonly from: readonly number[];
  /** Values a sample that each of them has. */
  readonly inputs: number;
  /** Values a sample that it gives, row by row of `shape`. */
  readonly outputs: number;
  readonly shape: Shape;
  /** Of convolutions and pools. */
  readonly window?: Window;
  readonly activation: ActivationName;
  /** Where its weights start in the parameter vector. */
  readonly offset: number;
  /** Its weights, one behind the other; none where it has none. */
  readonly tensors: readonly Tensor[];
  /** Values that each output takes, and outputs that take each value; absent for weights around 1. */
  readonly fan?: Pair;
}

/** One named tensor within the parameter vector. */
export interface ParameterTensor {
  /** W1, b1, W2, b2, ... */
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
}

/** A network and its loss. */
export interface Network {
  readonly inputs: number;
  /** Of the data: a row [inputs], or maps [channels, height, width]. */
  readonly inputShape: Shape;
  readonly classes: number;
  readonly nodes: readonly Node[];
  /** In topological order; the last gives the logits. */
  readonly layers: readonly Layer[];
  readonly loss: Loss;
  /** Added inside the logarithm of the cross-entropy; 0 for none. */
  readonly epsilon: number;
  /** Length of the parameter vector. */
  readonly parameters: number;
}

/** What every network is told. */
interface Common {
  inputs: number;
  /** Of the data, where they are maps: [channels, height, width]. Default a row. */
  inputShape?: Shape;
  classes: number;
  /** Default cross-entropy. */
  loss?: Loss;
  /** Default the tutorial's 1e-7. */
  epsilon?: number;
}

/** What `createNetwork` is told. */
export interface NetworkOptions extends Common {
  /** Widths of the hidden layers, first to last; empty for softmax regression. */
  hidden: readonly number[];
  /** One for all hidden layers, or one for each. Default sigmoid. */
  activation?: Activation | readonly Activation[];
}

/**
 * A chain of dense layers, each with its activation, and one more into the classes.
 * @throws {RangeError} when a width is no positive whole number, or the list of activations has
 *   another length than `hidden`.
 */
export function createNetwork({ hidden, activation, ...common }: NetworkOptions): Network {
  return connect({ ...common, nodes: chainOf(hidden, activation) });
}

/** The operations of a chain of dense layers; see `createNetwork`. */
export function chainOf(
  hidden: readonly number[],
  activation: Activation | readonly Activation[] = "sigmoid",
): Node[] {
  const activations = typeof activation === "string" ? hidden.map(() => activation) : activation;
  if (activations.length !== hidden.length) {
    throw new RangeError(
      `Cannot match ${activations.length} activations (${activations.join(",")}) with ` +
        `${hidden.length} hidden layers: give one for all, or one for each`,
    );
  }
  return hidden.flatMap((width, l): Node[] => [
    { operation: "dense", width },
    { operation: activations[l] },
  ]);
}

/** How a node is called in messages: "conv 30x5", and which of several of that name. */
const nodeName = (nodes: readonly Node[], i: number) => {
  if (i === DATA) return "the data";
  const text = textOfNode(nodes[i]),
    isOne = nodes.filter((node) => textOfNode(node) === text).length === 1;
  return `"${text}"${isOne ? "" : `, operation ${i + 1}`}`;
};

/**
 * Connects operations to a network, and lays out its parameters. A dense layer from the last node
 * into the classes is added at the end.
 * @throws {RangeError} when there are more than `MAX_CLASSES` classes; naming the node whose width
 *   is no positive whole number, which takes what does not come before it, or which adds values of
 *   different widths.
 */
export function connect({ nodes: given, ...common }: Common & { nodes: readonly Node[] }): Network {
  const { inputs, classes, loss = "cross-entropy", epsilon = TUTORIAL_EPSILON } = common;
  const { inputShape = [inputs] } = common;
  if (!(epsilon >= 0 && epsilon < 1)) {
    throw new RangeError(`Cannot use epsilon ${epsilon}: it must be at least 0 and below 1`);
  }
  for (const width of [inputs, classes]) {
    if (!Number.isInteger(width) || width < 1) {
      throw new RangeError(
        `Cannot build a network from ${inputs} inputs to ${classes} classes: ` +
          `give whole numbers from 1`,
      );
    }
  }
  if (sizeOfShape(inputShape) !== inputs) {
    throw new RangeError(
      `Cannot take ${inputs} values a sample as ${textOfShape(inputShape)}: that is ` +
        `${sizeOfShape(inputShape)}`,
    );
  }
  if (classes > MAX_CLASSES) {
    throw new RangeError(
      `Cannot tell ${classes} classes apart: at most ${MAX_CLASSES} are supported; group them`,
    );
  }
  const nodes: Node[] = [...given, { operation: "dense", width: classes }];
  const sources = nodes.map((node, i) => sourcesOf(nodes, node, i));
  const shapes: Shape[] = [], layers: Layer[] = [];
  const layerOf: number[] = []; // which layer computes a node
  const renames: boolean[] = []; // nodes that leave every value as it is
  let offset = 0;
  nodes.forEach((node, i) => {
    const from = sources[i].map((source) => source === DATA ? DATA : layerOf[source]);
    const given = sources[i].map((source) => source === DATA ? inputShape : shapes[source]);
    const width = sizeOfShape(given[0]);
    if (node.operation in structures) {
      const structure = structures[node.operation as StructureName] as Structure;
      let built;
      try {
        built = structure.build(given, node);
      } catch (error) {
        throw new RangeError(
          `Cannot build ${nodeName(nodes, i)}: ${(error as Error).message}`,
        );
      }
      const { kind, shape, window, tensors = [], fan } = built;
      shapes.push(shape);
      renames[i] = kind === undefined;
      if (kind === undefined) {
        layerOf.push(from[0]);
        return;
      }
      const outputs = sizeOfShape(shape), activation = "identity";
      layers.push({
        kind,
        from,
        inputs: width,
        outputs,
        shape,
        window,
        activation,
        offset,
        tensors,
        fan,
      });
      for (const { shape } of tensors) offset += sizeOfShape(shape);
    } else {
      const [before] = from, activation = node.operation as Activation;
      shapes.push(given[0]);
      const isBehind = before !== DATA && onlyTakers(renames, sources, i) &&
        layers[before].activation === "identity";
      if (isBehind) {
        layers[before] = { ...layers[before], activation };
        layerOf.push(before);
        return;
      }
      const shape = given[0];
      layers.push({
        kind: "sum",
        from,
        inputs: width,
        outputs: width,
        shape,
        activation,
        offset,
        tensors: [],
      });
    }
    layerOf.push(layers.length - 1);
  });
  const unused = nodes.findIndex((_, i) =>
    i < nodes.length - 1 && !sources.some((from) => from.includes(i))
  );
  if (unused >= 0) {
    throw new RangeError(`Cannot build the network: nothing takes ${nodeName(nodes, unused)}`);
  }
  return { inputs, inputShape, classes, nodes: given, layers, loss, epsilon, parameters: offset };
}

/** Whether node i is the only one that takes what it takes, under any of its names. */
function onlyTakers(
  renames: readonly boolean[],
  sources: readonly (readonly number[])[],
  i: number,
): boolean {
  const takers = (of: number) => sources.filter((from) => from.includes(of)).length;
  let [of] = sources[i];
  while (of !== DATA && takers(of) === 1) {
    if (!renames[of]) return true;
    [of] = sources[of];
  }
  return false;
}

/** The nodes that a node takes. */
function sourcesOf(
  nodes: readonly Node[],
  { operation, from }: Node,
  i: number,
): readonly number[] {
  const sources = from ?? [i - 1];
  const [least, most] = operation in structures
    ? structures[operation as keyof typeof structures].takes
    : [1, 1];
  if (sources.length < least || sources.length > most) {
    throw new RangeError(
      `Cannot build ${nodeName(nodes, i)}: it takes ${sources.length} values, not ` +
        (most === 1 ? "one" : "two or more"),
    );
  }
  for (const source of sources) {
    if (!Number.isInteger(source) || source < DATA || source >= i) {
      throw new RangeError(
        `Cannot build ${nodeName(nodes, i)}: it takes node ${source}, which is not before it`,
      );
    }
  }
  return sources;
}

/** Operations on whole layers that can be typed in a row: those that take the one before. */
const TYPED: readonly string[] = Object.keys(structures)
  .filter((name) => structures[name as StructureName].takes[0] === 1);

/**
 * Reads a network as people type it: "dense 100, relu, dense 50, tanh"; "none" for no operation.
 * @throws {SyntaxError} pointing at the word that is none.
 */
export function parseNodes(text: string): Node[] {
  if (text.trim() === "none") return [];
  return text.split(",").map((part, i): Node => {
    const words = part.trim().split(/\s+/), [name, ...rest] = words;
    try {
      if (TYPED.includes(name)) {
        const structure = structures[name as StructureName] as Structure;
        return { operation: name, ...structure.parse(rest) as object } as Node;
      }
      if (name === "") throw new SyntaxError("there is nothing");
      return { operation: parseActivation(words.join(" "), TYPED) };
    } catch (error) {
      throw new SyntaxError(
        `operation ${i + 1}, "${words.join(" ")}": ${(error as Error).message}`,
      );
    }
  });
}

/**
 * Reads an activation as people type it: "relu", "round 4".
 * @param others names that could stand there, too.
 * @throws {SyntaxError} when it is none.
 */
export function parseActivation(text: string, others: readonly string[] = []): Activation {
  const [name] = text.split(" ");
  if (!ACTIVATIONS.some((known) => known.split(" ")[0] === name)) {
    throw new SyntaxError(`there is no ${name}, but ${[...others, ...ACTIVATIONS].join(", ")}`);
  }
  return activationOf(text).name as Activation;
}

/** An operation as people type it. */
function textOfNode(node: Node): string {
  if (!(node.operation in structures)) return node.operation;
  const structure = structures[node.operation as StructureName] as Structure;
  return [node.operation, ...structure.words(node)].join(" ");
}

/** A chain's operations as people type them; the inverse of `parseNodes`. */
export function textOfNodes(nodes: readonly Node[]): string {
  return nodes.map(textOfNode).join(", ") || "none";
}

/** Numbers that the forward pass keeps of a sample's loss, for its exact changes. */
export function residualsOf({ loss, classes }: Pick<Network, "loss" | "classes">): number {
  return losses[loss].residuals(classes);
}

/** The network's shape for people: `784-50-10`, or `1x28x28-conv 30x5-maxpool 2-100-10`. */
export function shapeOf({ inputs, inputShape, layers, nodes }: Network): string {
  const parts = [...nodes, undefined].flatMap((node) => {
    if (node === undefined) return [`${layers.at(-1)!.outputs}`];
    if (node.operation === "dense") return [`${node.width}`];
    const isNamed = ["conv", "maxpool", "avgpool", "globalavgpool"].includes(node.operation);
    return isNamed ? [textOfNode(node)] : [];
  });
  // A row is a row, whatever the data look like.
  const before = layers.some(({ window }) => window) ? textOfShape(inputShape) : `${inputs}`;
  return [before, ...parts].join("-");
}

/**
 * What a network never looks at, for people, a line a layer: a stride larger than its kernel, or one
 * that does not come out even, leaves rows and columns of the input unseen.
 */
export function skippedInput(network: Network): string[] {
  return network.layers.flatMap(({ window }, l) => {
    if (!window) return [];
    const [, height, width] = window.input, [rows, columns] = skippedBy(window);
    if (rows === 0 && columns === 0) return [];
    const unseen = [
      ...rows > 0 ? [`${rows} of its input's ${height} rows`] : [],
      ...columns > 0 ? [`${columns} of its input's ${width} columns`] : [],
    ];
    return [`${layerName(network, l)}: no window looks at ${unseen.join(" and ")}`];
  });
}

/** The layers with weights, in the order of their numbers: W1 is the first one's. */
export function weightedLayers(layers: readonly Layer[]): Layer[] {
  return layers.filter(({ tensors }) => tensors.length > 0);
}

/** The layer that an element of the parameter vector is a weight of, by its index. */
export const layerOf = ({ layers }: Network, element: number): number =>
  layers.findLastIndex(({ tensors, offset }) => tensors.length > 0 && offset <= element);

/** The layers that take what layer l gives, directly or through others, in topological order. */
export function layersBehind(layers: readonly Layer[], l: number): number[] {
  const reached = new Set([l]);
  layers.forEach(({ from }, m) => {
    if (m > l && from.some((taken) => reached.has(taken))) reached.add(m);
  });
  return [...reached].slice(1);
}

/** What a layer is called: `dense 2: 100 to 50, tanh`. */
export function layerName({ layers }: Network, l: number): string {
  const { kind, inputs, shape, window, activation } = layers[l];
  const behind = activation === "identity" ? "" : `, ${activation}`;
  const place = layers.slice(0, l + 1).filter((layer) => layer.kind === kind).length;
  const before = window ? textOfShape(window.input) : `${inputs}`;
  const sizes = kind === "sum" ? textOfShape(shape) : `${before} to ${textOfShape(shape)}`;
  return `${kind} ${place}: ${sizes}${behind}`;
}

/**
 * Refuses elements of a gradient that a network does not have.
 * @param elements indices in the parameter vector; all of it where none are given.
 * @throws {RangeError} naming the first.
 */
export function checkElements({ parameters }: Network, elements?: Uint32Array): void {
  const bad = elements?.find((element) => element >= parameters);
  if (bad === undefined) return;
  throw new RangeError(
    `Cannot take element ${bad} of a gradient: it has ${parameters}, counted from 0`,
  );
}

/** The parameter tensors in the order of the vector: W1, b1, W2, b2, ... */
export function parameterTensors({ layers }: Network): ParameterTensor[] {
  return weightedLayers(layers).flatMap(({ tensors, offset: start }, l) => {
    let offset = start;
    return tensors.map(({ letter, shape }) => {
      const size = sizeOfShape(shape);
      offset += size;
      return { name: `${letter}${l + 1}`, shape, offset: offset - size, size };
    });
  });
}
