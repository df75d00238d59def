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
  activations,
  losses,
  type LossName,
  structures,
} from "../operations/registry.ts";

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

/** One operation of a network. */
export type Node =
  & {
    /** The nodes that it takes, each an earlier one, or `DATA`. Default the node before. */
    readonly from?: readonly number[];
  }
  & (
    | { readonly operation: "dense"; readonly width: number }
    | { readonly operation: "add" } // of two nodes or more, of one width
    | { readonly operation: Activation }
  );

/** What a layer computes: z = [a, 1] W or z = the sum of what it takes, then the activation. */
export interface Layer {
  readonly kind: "dense" | "sum";
  /** The layers whose values it takes, or `DATA`: one for a dense layer. */
  readonly from: readonly number[];
  /** Values a sample that each of them has. */
  readonly inputs: number;
  readonly outputs: number;
  readonly activation: ActivationName;
  /** Where a dense layer's matrix [inputs + 1, outputs] starts in the parameter vector. */
  readonly offset: number;
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

/** How a node is called in messages: dense 2, relu 3. */
const nodeName = (nodes: readonly Node[], i: number) =>
  i === DATA ? "the data" : `${nodes[i].operation} ${i + 1}`;

/**
 * Connects operations to a network, and lays out its parameters. A dense layer from the last node
 * into the classes is added at the end.
 * @throws {RangeError} when there are more than `MAX_CLASSES` classes; naming the node whose width
 *   is no positive whole number, which takes what does not come before it, or which adds values of
 *   different widths.
 */
export function connect({ nodes: given, ...common }: Common & { nodes: readonly Node[] }): Network {
  const { inputs, classes, loss = "cross-entropy", epsilon = TUTORIAL_EPSILON } = common;
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
  if (classes > MAX_CLASSES) {
    throw new RangeError(
      `Cannot tell ${classes} classes apart: at most ${MAX_CLASSES} are supported; group them`,
    );
  }
  const nodes: Node[] = [...given, { operation: "dense", width: classes }];
  const sources = nodes.map((node, i) => sourcesOf(nodes, node, i));
  const uses = nodes.map((_, i) => sources.flat().filter((from) => from === i).length);
  const layers: Layer[] = [], layerOf: number[] = []; // which layer computes a node
  const widthOf = (layer: number) => layer === DATA ? inputs : layers[layer].outputs;
  let offset = 0;
  nodes.forEach((node, i) => {
    const from = sources[i].map((source) => source === DATA ? DATA : layerOf[source]);
    const widths = from.map(widthOf), [width] = widths;
    if (node.operation === "dense" || node.operation === "add") {
      const structure = structures[node.operation];
      let outputs;
      try {
        outputs = structure.outputs(widths, "width" in node ? node.width : undefined);
      } catch (error) {
        throw new RangeError(`Cannot build ${nodeName(nodes, i)}: ${(error as Error).message}`);
      }
      const kind = node.operation === "dense" ? "dense" : "sum";
      layers.push({ kind, from, inputs: width, outputs, activation: "identity", offset });
      for (const shape of Object.values(structure.weights(width, outputs))) {
        offset += shape.reduce((size, length) => size * length, 1);
      }
    } else {
      const [before] = from, { operation: activation } = node;
      const isBehind = before !== DATA && uses[sources[i][0]] === 1 &&
        layers[before].activation === "identity";
      if (isBehind) {
        layers[before] = { ...layers[before], activation };
        layerOf.push(before);
        return;
      }
      layers.push({ kind: "sum", from, inputs: width, outputs: width, activation, offset });
    }
    layerOf.push(layers.length - 1);
  });
  const unused = uses.findIndex((count, i) => count === 0 && i < nodes.length - 1);
  if (unused >= 0) {
    throw new RangeError(`Cannot build the network: nothing takes ${nodeName(nodes, unused)}`);
  }
  return { inputs, classes, nodes: given, layers, loss, epsilon, parameters: offset };
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

/**
 * Reads a network as people type it: "dense 100, relu, dense 50, tanh"; "none" for no operation.
 * @throws {SyntaxError} pointing at the word that is none.
 */
export function parseNodes(text: string): Node[] {
  if (text.trim() === "none") return [];
  return text.split(",").map((part, i): Node => {
    const words = part.trim().split(/\s+/), [name, ...rest] = words;
    const fail = (why: string): never => {
      throw new SyntaxError(`operation ${i + 1}, "${words.join(" ")}": ${why}`);
    };
    if (name === "dense") {
      const width = Number(rest[0]);
      if (rest.length !== 1 || !Number.isInteger(width) || width < 1) {
        fail("dense takes a width, a whole number from 1, as in dense 100");
      }
      return { operation: "dense", width };
    }
    if (!(ACTIVATIONS as readonly string[]).includes(name)) {
      fail(
        name === ""
          ? "there is nothing"
          : `there is no ${name}, but dense, ${ACTIVATIONS.join(", ")}`,
      );
    }
    if (rest.length > 0) fail(`${name} takes no ${rest[0]}`);
    return { operation: name as Activation };
  });
}

/** A chain's operations as people type them; the inverse of `parseNodes`. */
export function textOfNodes(nodes: readonly Node[]): string {
  const words = nodes.map((node) =>
    node.operation === "dense" ? `dense ${node.width}` : node.operation
  );
  return words.join(", ") || "none";
}

/** Numbers that the forward pass keeps of a sample's loss, for its exact changes. */
export function residualsOf({ loss, classes }: Pick<Network, "loss" | "classes">): number {
  return losses[loss].residuals(classes);
}

/** The network's shape for people: `784-50-10`. */
export function shapeOf({ inputs, layers }: Network): string {
  return [inputs, ...denseLayers(layers).map(({ outputs }) => outputs)].join("-");
}

/** The layers with weights. */
export function denseLayers(layers: readonly Layer[]): Layer[] {
  return layers.filter(({ kind }) => kind === "dense");
}

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
  const { kind, inputs, outputs, activation } = layers[l];
  const behind = activation === "identity" ? "" : `, ${activation}`;
  const place = layers.slice(0, l + 1).filter((layer) => layer.kind === kind).length;
  return `${kind} ${place}: ${kind === "dense" ? `${inputs} to ${outputs}` : outputs}${behind}`;
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
  return denseLayers(layers).flatMap(({ inputs, outputs, offset: start }, l) => {
    let offset = start;
    return Object.entries(structures.dense.weights(inputs, outputs)).map(([letter, shape]) => {
      const size = shape.reduce((product, length) => product * length, 1);
      offset += size;
      return { name: `${letter}${l + 1}`, shape, offset: offset - size, size };
    });
  });
}
