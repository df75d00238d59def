/** Tables for people: columns as wide as their widest cell. */

import type { Comparison } from "../method/gradcheck.ts";

/** Lines of a table, the first of its rows being the head. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, c) => cell.padEnd(widths[c])).join("  ").trimEnd());
}

/** One line a tensor: how far it is off, where the most, and whether that is within the tolerance. */
export function comparisonLines(
  comparisons: readonly Comparison[],
  rtol: number,
  more: { head: string; cell: (comparison: Comparison, index: number) => string }[] = [],
): string[] {
  const head = ["tensor", "shape", "relative error", "largest difference", "at"];
  return tableLines([
    [...head, ...more.map((column) => column.head), "verdict"],
    ...comparisons.map((comparison, i) => [
      comparison.name,
      comparison.shape.join("x"),
      comparison.relativeError.toExponential(2),
      comparison.maxAbsDifference.toExponential(2),
      `[${comparison.at.join(",")}]`,
      ...more.map((column) => column.cell(comparison, i)),
      comparison.relativeError <= rtol ? "right" : "OFF",
    ]),
  ]);
}
