/**
 * Which of a gradient's dispatches, and which workgroups of these, a slice of it takes. A slice runs
 * what the whole gradient runs, without what is for other weights: no bit of it can be another.
 */

import type { Piece } from "../core/slices.ts";
import type { Command, Groups } from "./device.ts";

/** What a dispatch is for; one that says nothing is for all weights. */
export interface Scope {
  /** Its index among the network's layers; `DATA` for random directions. */
  readonly layer: number;
  readonly of: Piece["of"];
  readonly first: number;
  readonly end: number;
  /**
   * The side of the grid that lies along these, and how many of them a workgroup takes, the first from
   * 0 on; absent where the dispatch is for all of them in one.
   */
  readonly along?: { readonly side: 0 | 1 | 2; readonly each: number };
}

/** The same commands, for some weights alone. */
export function scoped(scope: Scope, commands: readonly Command[]): Command[] {
  // The rest is inherited: a copy would ask for the pipeline, and so compile it now.
  return commands.map((command): Command =>
    command.scope ? command : Object.create(command, { scope: { value: scope, enumerable: true } })
  );
}

/** The same commands, of which what they make serves all slices of a batch and is made once. */
export function once(commands: readonly Command[]): Command[] {
  return commands.map((command): Command =>
    Object.create(command, { isOnce: { value: true, enumerable: true } })
  );
}

/** What pieces take of a layer, from the first of them to the last. */
function takenOf(pieces: readonly Piece[], { layer, of, first, end }: Scope) {
  const own = pieces.filter((piece) => piece.layer === layer);
  if (own.length === 0) return undefined;
  if (own[0].of !== of) return { first, end }; // cut the other way: they take all of these
  const from = Math.max(first, own[0].first), to = Math.min(end, own.at(-1)!.end);
  return from < to ? { first: from, end: to } : undefined;
}

/** A dispatch without workgroups that are not for these pieces; undefined where none is. */
function partOf(command: Command, pieces: readonly Piece[]): Command | undefined {
  const { scope, groups } = command;
  if (!scope) return command;
  const taken = takenOf(pieces, scope);
  if (!taken || !scope.along) return taken && command;
  const { side, each } = scope.along;
  const from = Math.floor(taken.first / each);
  const count = Math.min(groups[side] ?? 1, Math.ceil(taken.end / each)) - from;
  const origin = [0, 0, 0].with(side, from);
  const cut = [groups[0], groups[1] ?? 1, groups[2] ?? 1].with(side, count) as unknown as Groups;
  const work = command.work * count / (groups[side] ?? 1);
  return Object.create(command, {
    origin: { value: origin, enumerable: true },
    groups: { value: cut, enumerable: true },
    work: { value: work, enumerable: true },
  });
}

/**
 * The dispatches that a slice takes.
 * @param pieces of it, neighbours.
 * @param done commands that ran for this batch before: those that run once go in.
 */
export function dispatchesOf(
  commands: readonly Command[],
  pieces: readonly Piece[],
  done: Set<Command>,
): Command[] {
  return commands.flatMap((command) => {
    const part = partOf(command, pieces);
    if (!part || !command.isOnce) return part ?? [];
    if (done.has(command)) return [];
    done.add(command);
    return [part];
  });
}
