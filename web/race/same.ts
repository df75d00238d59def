/** Which ways to a gradient go along one and the same curve. */

import type { EngineName, RaceRow } from "../run/protocol.ts";

/** Losses that are nowhere farther apart draw the same line. */
const SAME = 2e-3;

/** Which of the racers go along one curve: each group of two and more, and how far they are apart. */
export function sameCurves(
  rows: readonly Pick<RaceRow, "engine" | "losses">[],
): { engines: EngineName[]; apart: number }[] {
  const groups: { first: (typeof rows)[number]; engines: EngineName[]; apart: number }[] = [];
  for (const row of rows) {
    const apart = ({ losses }: Pick<RaceRow, "losses">) =>
      row.losses.reduce(
        (most, loss, i) => i < losses.length ? Math.max(most, Math.abs(loss - losses[i])) : most,
        0,
      );
    const group = groups.find(({ first }) => apart(first) <= SAME);
    if (!group) groups.push({ first: row, engines: [row.engine], apart: 0 });
    else {
      group.engines.push(row.engine);
      group.apart = Math.max(group.apart, apart(group.first));
    }
  }
  return groups.filter(({ engines }) => engines.length > 1);
}
