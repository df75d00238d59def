/** Errors beside what they may be. */

/** An error beside what it may be. */
export interface Measured {
  /** The largest relative error; NaN where a number is none. */
  readonly worst: number;
  /** What it may be. */
  readonly bound: number;
}

/** The one of two that is nearer to its bound, or further beyond it. */
export function worseOf<T extends Measured>(a: T, b: T): T {
  const share = ({ worst, bound }: Measured) => worst === 0 ? 0 : worst / bound;
  if (share(a) === share(b)) return a.bound >= b.bound ? a : b;
  return share(b) > share(a) || Number.isNaN(share(b)) ? b : a;
}

/** One comparison: the largest relative error of what is named, and what it may be. */
export interface ParityRow extends Measured {
  /** A kernel by its file and what it is composed of, or a gradient by its network and method. */
  readonly name: string;
}

/** Whether a row is as it should be; a worst error of NaN is not. */
export const isRight = ({ worst, bound }: Measured): boolean => worst <= bound;
