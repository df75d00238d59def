/**
 * What a network is: its layers, its loss, and where each parameter lies in one flat vector.
 *
 * The weight matrix and the bias of a layer lie behind one another, so that a layer's parameters
 * are one row-major matrix [inputs + 1, outputs] whose last row is the bias. Activations carry a
 * constant 1 after their last unit to match. A bias is then a weight like any other, here and in
 * every kernel.
 */

/** Activations of a hidden layer. */
export const ACTIVATIONS = ["sigmoid", "relu", "tanh", "step"] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/** Losses of the output layer: softmax with cross-entropy, or half the squared error, summed. */
export const LOSSES = ["cross-entropy", "squared-error"] as const;
export type Loss = (typeof LOSSES)[number];

/** The most hidden layers a network may have. */
export const MAX_HIDDEN_LAYERS = 6;

/** The small number the tutorial adds inside the logarithm of its cross-entropy. */
export const TUTORIAL_EPSILON = 1e-7;

/** A fully connected layer: z = [a, 1] W, then the activation (none on the output layer). */
export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly activation: Activation | "identity";
  /** Where the layer's matrix [inputs + 1, outputs] starts in the parameter vector. */
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

/** A network of fully connected layers and its loss. */
export interface Network {
  readonly inputs: number;
  readonly classes: number;
  readonly layers: readonly Layer[];
  readonly loss: Loss;
  /** Added inside the logarithm of the cross-entropy; 0 for none. */
  readonly epsilon: number;
  /** Length of the parameter vector. */
  readonly parameters: number;
}

/** What `createNetwork` is told. */
export interface NetworkOptions {
  inputs: number;
  /** Widths of the hidden layers, first to last; empty for softmax regression. */
  hidden: readonly number[];
  classes: number;
  /** One for all hidden layers, or one for each. Default sigmoid. */
  activation?: Activation | readonly Activation[];
  /** Default cross-entropy. */
  loss?: Loss;
  /** Default the tutorial's 1e-7. */
  epsilon?: number;
}

/**
 * Describes a network and lays out its parameters.
 * @throws {RangeError} when a width is no positive whole number, there are more than
 *   `MAX_HIDDEN_LAYERS` hidden layers, or the list of activations has another length than `hidden`.
 */
export function createNetwork(options: NetworkOptions): Network {
  const { inputs, hidden, classes, loss = "cross-entropy", epsilon = TUTORIAL_EPSILON } = options;
  const widths = [inputs, ...hidden, classes];
  for (const width of widths) {
    if (!Number.isInteger(width) || width < 1) {
      throw new RangeError(`Cannot build a layer ${width} wide: a width is a whole number from 1`);
    }
  }
  if (hidden.length > MAX_HIDDEN_LAYERS) {
    throw new RangeError(
      `Cannot build ${hidden.length} hidden layers: at most ${MAX_HIDDEN_LAYERS} are supported`,
    );
  }
  if (!(epsilon >= 0 && epsilon < 1)) {
    throw new RangeError(`Cannot use epsilon ${epsilon}: it must be at least 0 and below 1`);
  }
  const given = options.activation ?? "sigmoid";
  const activations = typeof given === "string" ? hidden.map(() => given) : given;
  if (activations.length !== hidden.length) {
    throw new RangeError(
      `Cannot match ${activations.length} activations (${activations.join(",")}) with ` +
        `${hidden.length} hidden layers: give one for all, or one for each`,
    );
  }
  let offset = 0;
  const layers = widths.slice(1).map((outputs, l): Layer => {
    const layer = { inputs: widths[l], outputs, activation: activations[l] ?? "identity", offset };
    offset += (layer.inputs + 1) * outputs;
    return layer;
  });
  return { inputs, classes, layers, loss, epsilon, parameters: offset };
}

/**
 * Numbers that the forward pass keeps of a sample's loss, for its exact changes: see
 * shaders/losses/cross-entropy.wgsl and squared-error.wgsl, and src/cpu/losses.ts.
 */
export function residualsOf({ loss, classes }: Pick<Network, "loss" | "classes">): number {
  return loss === "cross-entropy" ? 2 * classes + 7 : classes;
}

/** The network's shape for people: `784-50-10`. */
export function shapeOf(network: Network): string {
  return [network.inputs, ...network.layers.map((layer) => layer.outputs)].join("-");
}

/** The parameter tensors in the order of the vector: W1, b1, W2, b2, ... */
export function parameterTensors(network: Network): ParameterTensor[] {
  return network.layers.flatMap(({ inputs, outputs, offset }, l) => [
    { name: `W${l + 1}`, shape: [inputs, outputs], offset, size: inputs * outputs },
    { name: `b${l + 1}`, shape: [outputs], offset: offset + inputs * outputs, size: outputs },
  ]);
}
