/**
 * What a loss is, of one sample: value, exact finite change, gradient. Its file has the same
 * functions in WGSL beside it, in shaders/operations/.
 *
 * The forward pass leaves one row of residuals a sample: what the change needs of the unperturbed
 * pass.
 */

/** One loss. `target` is the class, `row` where the sample's residuals start. */
export interface Loss {
  readonly name: string;
  /** The same functions as WGSL. */
  readonly wgsl: string;
  /** Whether it follows its series for tiny changes; one that jumps does not. */
  readonly isSmooth: boolean;
  /** Numbers in a row of residuals. */
  residuals(classes: number): number;
  /** About how many multiply-adds the exact change takes for each logit that moves. */
  readonly work: number;
  /**
   * The loss; writes the sample's residuals.
   * @param goal what the logits should be, where that is no one-hot row of the target: the squared error
   *   alone takes it.
   */
  value(
    logits: Float64Array, // [classes]
    target: number,
    epsilon: number,
    residuals: Float64Array, // [batch, residuals]
    row: number,
    goal?: Float64Array, // [classes]
  ): number;
  /**
   * L(logits + d direction) - L(logits) for every length d, exact for any finite d: one copy of
   * the network each. The bits of one do not depend on which others there are.
   */
  changes(
    residuals: Float64Array, // [batch, residuals]
    row: number,
    target: number,
    direction: Float64Array, // [classes]
    lengths: Float64Array, // [copies]
    changes: Float64Array, // [copies], written
  ): void;
  /** The same where only logit k changes. */
  changesOfOne(
    residuals: Float64Array, // [batch, residuals]
    row: number,
    target: number,
    classes: number,
    k: number,
    lengths: Float64Array, // [copies]
    changes: Float64Array, // [copies], written
  ): void;
  /** dL/d logit k. Only the backprop engine, which exists for comparison, asks for it. */
  derivative(
    residuals: Float64Array, // [batch, residuals]
    row: number,
    target: number,
    classes: number,
    k: number,
  ): number;
}
