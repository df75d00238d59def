/**
 * What an operation on whole layers is: how people type it, what shapes it takes and gives, and
 * which weights it has. How it is computed is each engine's, by the kind of layer that it is.
 */

/** The shape of a sample's values: a row [units], or maps [channels, height, width]. */
export type Shape = readonly [number] | Maps;
export type Maps = readonly [channels: number, height: number, width: number];

/** Down and across. */
export type Pair = readonly [number, number];

/** How each output of a convolution or a pool looks at its input's maps. */
export interface Window {
  readonly input: Maps;
  readonly output: Maps;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  /** Rows above and columns to the left that are padding; those behind follow from the output. */
  readonly pad: Pair;
  /** Output channels take the input channels of their own group; as many as channels in a pool. */
  readonly groups: number;
}

/** A named tensor of a layer's weights. */
export interface Tensor {
  /** The letter that its name begins with. */
  readonly letter: string;
  readonly shape: readonly number[];
}

/** How engines compute a layer: `sum` adds what it takes, and is what activations stand alone in. */
export type Kind = "dense" | "sum" | "conv" | "maxpool" | "avgpool";

/** What an operation becomes where it stands; `undefined` for the kind where it renames only. */
export interface Built {
  readonly kind: Kind | undefined;
  readonly shape: Shape;
  readonly window?: Window;
  /** In the order in which they lie in the parameter vector. */
  readonly tensors?: readonly Tensor[];
  /** Values that each output takes, and outputs that take each value; absent for weights around 1. */
  readonly fan?: Pair;
}

/** One operation that has no function of a single value: those are activations. */
export interface Structure<Settings = unknown> {
  readonly name: string;
  /** Its names in ONNX files. */
  readonly onnx: readonly string[];
  /** How many other operations' values it takes, at least and at most. */
  readonly takes: readonly [number, number];
  /** Whether it takes maps alone, and no row. */
  readonly ofMaps?: boolean;
  /**
   * Reads the words behind its name.
   * @throws {SyntaxError} why they are none of its.
   */
  parse(words: readonly string[]): Settings;
  /** The words behind its name; the inverse of `parse`. */
  words(settings: Settings): string[];
  /**
   * What it becomes.
   * @param shapes of the values that it takes.
   * @throws {RangeError} why they do not go together.
   */
  build(shapes: readonly Shape[], settings: Settings): Built;
}

/** Values of that shape. */
export const sizeOfShape = (shape: readonly number[]): number =>
  shape.reduce((size, length) => size * length, 1);

/** A shape for people: 1x28x28. */
export const textOfShape = (shape: readonly number[]): string => shape.join("x");

/** Refuses words where there are to be none. */
export function noWords(words: readonly string[]): void {
  if (words.length > 0) throw new SyntaxError(`takes no ${words[0]}`);
}
