/** A share of the work: part `index` of so many. Which thread does which never shows in a result. */
export interface Share {
  readonly index: number;
  readonly of: number;
}
