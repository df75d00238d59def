/** What an operation on whole layers is: how many values it takes, gives, and has as weights. */

/** One operation that has no function of a single value: those are activations. */
export interface Structure {
  readonly name: string;
  /** Its name in ONNX files. */
  readonly onnx: string;
  /** How many other operations' values it takes, at least and at most. */
  readonly takes: readonly [number, number];
  /**
   * Values a sample that it gives.
   * @param inputs values a sample that each of those it takes gives.
   * @param width what it was told, where it is told anything.
   * @throws {RangeError} why they do not go together.
   */
  outputs(inputs: readonly number[], width?: number): number;
  /** The shapes of its weights, by the letter that their names begin with. */
  weights(inputs: number, outputs: number): Record<string, readonly number[]>;
}
