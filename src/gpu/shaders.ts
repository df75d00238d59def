/**
 * Every shader as text, and the one small `#import` that joins them.
 *
 * A kernel says `#import special` for a shared piece, or `#import activation` for a role that the
 * network fills: which activation, which loss, which optimiser.
 */

import { type ActivationName, activationOf, activations, losses } from "../operations/registry.ts";
import sgd from "../../shaders/optimizers/sgd.wgsl" with { type: "text" };
import momentum from "../../shaders/optimizers/momentum.wgsl" with { type: "text" };
import nesterov from "../../shaders/optimizers/nesterov.wgsl" with { type: "text" };
import adagrad from "../../shaders/optimizers/adagrad.wgsl" with { type: "text" };
import rmsprop from "../../shaders/optimizers/rmsprop.wgsl" with { type: "text" };
import adam from "../../shaders/optimizers/adam.wgsl" with { type: "text" };
import weight from "../../shaders/perturbations/weight.wgsl" with { type: "text" };
import signs from "../../shaders/perturbations/signs.wgsl" with { type: "text" };
import noSurrogate from "../../shaders/surrogates/none.wgsl" with { type: "text" };
import identitySurrogate from "../../shaders/surrogates/identity.wgsl" with { type: "text" };
import clippedSurrogate from "../../shaders/surrogates/clipped.wgsl" with { type: "text" };
import sigmoidSurrogate from "../../shaders/surrogates/sigmoid.wgsl" with { type: "text" };
import tiles from "../../shaders/products/tiles.wgsl" with { type: "text" };
import blocks from "../../shaders/products/blocks.wgsl" with { type: "text" };
import backpropGradient from "../../shaders/backprop_gradient.wgsl" with { type: "text" };
import backpropHidden from "../../shaders/backprop_hidden.wgsl" with { type: "text" };
import backpropOutput from "../../shaders/backprop_output.wgsl" with { type: "text" };
import check from "../../shaders/check.wgsl" with { type: "text" };
import collect from "../../shaders/collect.wgsl" with { type: "text" };
import compact from "../../shaders/compact.wgsl" with { type: "text" };
import copiesDense from "../../shaders/copies_dense.wgsl" with { type: "text" };
import copiesSlope from "../../shaders/copies_slope.wgsl" with { type: "text" };
import crossEntropyLoss from "../../shaders/cross-entropy_loss.wgsl" with { type: "text" };
import dense from "../../shaders/dense.wgsl" with { type: "text" };
import directionsDense from "../../shaders/directions_dense.wgsl" with { type: "text" };
import directionsGradient from "../../shaders/directions_gradient.wgsl" with { type: "text" };
import directionsSlope from "../../shaders/directions_slope.wgsl" with { type: "text" };
import finish from "../../shaders/finish.wgsl" with { type: "text" };
import gather from "../../shaders/gather.wgsl" with { type: "text" };
import hiddenGradient from "../../shaders/hidden_gradient.wgsl" with { type: "text" };
import hop from "../../shaders/hop.wgsl" with { type: "text" };
import nudge from "../../shaders/nudge.wgsl" with { type: "text" };
import outputGradient from "../../shaders/output_gradient.wgsl" with { type: "text" };
import score from "../../shaders/score.wgsl" with { type: "text" };
import zeroOneLoss from "../../shaders/zero-one_loss.wgsl" with { type: "text" };
import squaredErrorLoss from "../../shaders/squared-error_loss.wgsl" with { type: "text" };
import tally from "../../shaders/tally.wgsl" with { type: "text" };
import total from "../../shaders/total.wgsl" with { type: "text" };
import transpose from "../../shaders/transpose.wgsl" with { type: "text" };
import update from "../../shaders/update.wgsl" with { type: "text" };
import companions from "../../shaders/shared/companions.wgsl" with { type: "text" };
import copies from "../../shaders/shared/copies.wgsl" with { type: "text" };
import directions from "../../shaders/shared/directions.wgsl" with { type: "text" };
import entriesLayout from "../../shaders/shared/entries_layout.wgsl" with { type: "text" };
import gate from "../../shaders/shared/gate.wgsl" with { type: "text" };
import entryPairs from "../../shaders/shared/entries.wgsl" with { type: "text" };
import fourParts from "../../shaders/shared/four_parts.wgsl" with { type: "text" };
import items from "../../shaders/shared/items.wgsl" with { type: "text" };
import listing from "../../shaders/shared/listing.wgsl" with { type: "text" };
import logits from "../../shaders/shared/logits.wgsl" with { type: "text" };
import ramp from "../../shaders/shared/ramp.wgsl" with { type: "text" };
import notes from "../../shaders/shared/notes.wgsl" with { type: "text" };
import origin from "../../shaders/shared/origin.wgsl" with { type: "text" };
import parts from "../../shaders/shared/parts.wgsl" with { type: "text" };
import sums from "../../shaders/shared/sums.wgsl" with { type: "text" };
import logitSlope from "../../shaders/shared/logit_slope.wgsl" with { type: "text" };
import stateWeights from "../../shaders/shared/state_weights.wgsl" with { type: "text" };
import logitSlopes from "../../shaders/logit_slopes.wgsl" with { type: "text" };
import stateSlopes from "../../shaders/state_slopes.wgsl" with { type: "text" };
import states from "../../shaders/shared/states.wgsl" with { type: "text" };
import special from "../../shaders/shared/special.wgsl" with { type: "text" };
import optimizerStep from "../../shaders/shared/step.wgsl" with { type: "text" };

import copiesSum from "../../shaders/copies_sum.wgsl" with { type: "text" };
import directionsSum from "../../shaders/directions_sum.wgsl" with { type: "text" };
import collectStates from "../../shaders/collect_states.wgsl" with { type: "text" };
import flip from "../../shaders/flip.wgsl" with { type: "text" };
import tapRows from "../../shaders/rows/taps.wgsl" with { type: "text" };
import listedTapRows from "../../shaders/rows/listed_taps.wgsl" with { type: "text" };
import maps from "../../shaders/shared/maps.wgsl" with { type: "text" };
import rowsFilter from "../../shaders/rows_filter.wgsl" with { type: "text" };
import rowsMaxpool from "../../shaders/rows_maxpool.wgsl" with { type: "text" };
import rowsFilterPool from "../../shaders/rows_filter_pool.wgsl" with { type: "text" };
import margins from "../../shaders/margins.wgsl" with { type: "text" };
import pooled from "../../shaders/shared/pooled.wgsl" with { type: "text" };
import sight from "../../shaders/sight.wgsl" with { type: "text" };
import rowsConv from "../../shaders/rows_conv.wgsl" with { type: "text" };
import respondTaps from "../../shaders/respond_taps.wgsl" with { type: "text" };
import collectTaps from "../../shaders/collect_taps.wgsl" with { type: "text" };
import listEnd from "../../shaders/list_end.wgsl" with { type: "text" };
import listBegin from "../../shaders/list_begin.wgsl" with { type: "text" };
import listSlots from "../../shaders/list_slots.wgsl" with { type: "text" };
import listStates from "../../shaders/list_states.wgsl" with { type: "text" };
import moveOne from "../../shaders/move_one.wgsl" with { type: "text" };
import narrowSeries from "../../shaders/narrow_series.wgsl" with { type: "text" };
import narrow from "../../shaders/narrow.wgsl" with { type: "text" };
import narrowTable from "../../shaders/narrow_table.wgsl" with { type: "text" };
import pointwise from "../../shaders/pointwise.wgsl" with { type: "text" };
import reach from "../../shaders/reach.wgsl" with { type: "text" };
import respond from "../../shaders/respond.wgsl" with { type: "text" };
import rowsDense from "../../shaders/rows_dense.wgsl" with { type: "text" };
import rowsLoss from "../../shaders/rows_loss.wgsl" with { type: "text" };
import rowsSum from "../../shaders/rows_sum.wgsl" with { type: "text" };
import slots from "../../shaders/slots.wgsl" with { type: "text" };
import chosen from "../../shaders/perturbations/chosen.wgsl" with { type: "text" };
import elementRows from "../../shaders/rows/elements.wgsl" with { type: "text" };
import collectElements from "../../shaders/collect_elements.wgsl" with { type: "text" };
import nudgeElements from "../../shaders/nudge_elements.wgsl" with { type: "text" };
import listedRows from "../../shaders/rows/listed.wgsl" with { type: "text" };
import allRows from "../../shaders/rows/all.wgsl" with { type: "text" };
import exactEffect from "../../shaders/effects/exact.wgsl" with { type: "text" };
import straightEffect from "../../shaders/effects/straight.wgsl" with { type: "text" };
import bytes from "../../shaders/shared/bytes.wgsl" with { type: "text" };
import part from "../../shaders/shared/part.wgsl" with { type: "text" };
import productParts from "../../shaders/shared/product_parts.wgsl" with { type: "text" };
import rowQuads from "../../shaders/shared/row_quads.wgsl" with { type: "text" };
import slotsLayout from "../../shaders/shared/slots_layout.wgsl" with { type: "text" };
import backpropConv from "../../shaders/backprop_conv.wgsl" with { type: "text" };
import backpropFilters from "../../shaders/backprop_filters.wgsl" with { type: "text" };
import backpropMaxpool from "../../shaders/backprop_maxpool.wgsl" with { type: "text" };
import conv from "../../shaders/conv.wgsl" with { type: "text" };
import copiesConv from "../../shaders/copies_conv.wgsl" with { type: "text" };
import copiesMaxpool from "../../shaders/copies_maxpool.wgsl" with { type: "text" };
import directionsConv from "../../shaders/directions_conv.wgsl" with { type: "text" };
import directionsMaxpool from "../../shaders/directions_maxpool.wgsl" with { type: "text" };
import maxpool from "../../shaders/maxpool.wgsl" with { type: "text" };
import filterWeights from "../../shaders/filters/weights.wgsl" with { type: "text" };
import filterMean from "../../shaders/filters/mean.wgsl" with { type: "text" };
import outlets from "../../shaders/outlets.wgsl" with { type: "text" };
import unitDirections from "../../shaders/unit_directions.wgsl" with { type: "text" };
import strengths from "../../shaders/strengths.wgsl" with { type: "text" };
import nearest from "../../shaders/nearest.wgsl" with { type: "text" };
import superpose from "../../shaders/superpose.wgsl" with { type: "text" };
import superposed from "../../shaders/shared/superposed.wgsl" with { type: "text" };
import outerSum from "../../shaders/shared/outer_sum.wgsl" with { type: "text" };
import view from "../../shaders/shared/view.wgsl" with { type: "text" };
import noSeries from "../../shaders/shared/no_series.wgsl" with { type: "text" };
import window from "../../shaders/shared/window.wgsl" with { type: "text" };
import windowBlock from "../../shaders/shared/window_block.wgsl" with { type: "text" };
import winner from "../../shaders/shared/winner.wgsl" with { type: "text" };

/** The kernels, by the name of their file. */
export const KERNELS = {
  "backprop_gradient": backpropGradient,
  "backprop_hidden": backpropHidden,
  "backprop_output": backpropOutput,
  "check": check,
  "collect": collect,
  "compact": compact,
  "copies_dense": copiesDense,
  "copies_slope": copiesSlope,
  "cross-entropy_loss": crossEntropyLoss,
  "dense": dense,
  "directions_dense": directionsDense,
  "directions_gradient": directionsGradient,
  "directions_slope": directionsSlope,
  "finish": finish,
  "gather": gather,
  "hidden_gradient": hiddenGradient,
  "hop": hop,
  "nudge": nudge,
  "output_gradient": outputGradient,
  "score": score,
  "squared-error_loss": squaredErrorLoss,
  "zero-one_loss": zeroOneLoss,
  "tally": tally,
  "total": total,
  "transpose": transpose,
  "update": update,
  "copies_sum": copiesSum,
  "directions_sum": directionsSum,
  "collect_elements": collectElements,
  "nudge_elements": nudgeElements,
  "collect_states": collectStates,
  "flip": flip,
  "list_begin": listBegin,
  "rows_filter": rowsFilter,
  "rows_filter_pool": rowsFilterPool,
  "margins": margins,
  "sight": sight,
  "outlets": outlets,
  "unit_directions": unitDirections,
  "strengths": strengths,
  "nearest": nearest,
  "superpose": superpose,
  "rows_maxpool": rowsMaxpool,
  "rows_conv": rowsConv,
  "respond_taps": respondTaps,
  "collect_taps": collectTaps,
  "list_end": listEnd,
  "list_slots": listSlots,
  "list_states": listStates,
  "logit_slopes": logitSlopes,
  "state_slopes": stateSlopes,
  "move_one": moveOne,
  "narrow_series": narrowSeries,
  "narrow": narrow,
  "narrow_table": narrowTable,
  "pointwise": pointwise,
  "reach": reach,
  "respond": respond,
  "rows_dense": rowsDense,
  "rows_loss": rowsLoss,
  "rows_sum": rowsSum,
  "slots": slots,
  "backprop_conv": backpropConv,
  "backprop_filters": backpropFilters,
  "backprop_maxpool": backpropMaxpool,
  "conv": conv,
  "copies_conv": copiesConv,
  "copies_maxpool": copiesMaxpool,
  "directions_conv": directionsConv,
  "directions_maxpool": directionsMaxpool,
  "maxpool": maxpool,
} as const;
export type KernelName = keyof typeof KERNELS;

/** The WGSL of operations, by their names. */
function textsOf<Name extends string>(operations: Record<Name, { wgsl: string }>) {
  const texts = Object.entries<{ wgsl: string }>(operations).map((
    [name, { wgsl }],
  ) => [name, wgsl]);
  return Object.fromEntries(texts) as Record<Name, string>;
}

/** Pieces that fill a role in a kernel, by role and name. */
export const ROLES = {
  activation: textsOf(activations),
  loss: textsOf(losses),
  optimizer: { sgd, momentum, nesterov, adagrad, rmsprop, adam },
  perturbation: { weight, chosen, signs },
  surrogate: {
    none: noSurrogate,
    identity: identitySurrogate,
    clipped: clippedSurrogate,
    sigmoid: sigmoidSurrogate,
  },
  product: { tiles, blocks },
  filter: { weights: filterWeights, mean: filterMean },
  rows: {
    listed: listedRows,
    all: allRows,
    elements: elementRows,
    taps: tapRows,
    listed_taps: listedTapRows,
  },
  effect: { exact: exactEffect, straight: straightEffect },
} as const;
/**
 * Numbers that the lengths of arrays depend on, which no override may give: some compilers make such
 * arrays of no elements. Each becomes a constant of its name: inputs that a thread takes, threads
 * side by side, and threads that share a sum.
 */
const NUMBERS = ["block", "lanes", "splits"] as const;

/** What fills a role that is left open. */
const UNFILLED: Partial<Record<keyof typeof ROLES, string>> = { surrogate: "none" };

/** Which piece fills each role, and the numbers. */
export type Fillings =
  & { readonly [Role in Exclude<keyof typeof ROLES, "activation">]?: keyof typeof ROLES[Role] }
  & { readonly activation?: ActivationName }
  & { readonly [Name in (typeof NUMBERS)[number]]?: number }
  & {
    /** What is unrolled in narrow.wgsl. */
    readonly unrolled?: string;
  };

const SHARED: Record<string, string> = {
  bytes,
  companions,
  copies,
  directions,
  entries: entryPairs,
  entries_layout: entriesLayout,
  four_parts: fourParts,
  gate,
  items,
  listing,
  logit_slope: logitSlope,
  logits,
  maps,
  no_series: noSeries,
  notes,
  origin,
  outer_sum: outerSum,
  pooled,
  part,
  parts,
  ramp,
  product_parts: productParts,
  row_quads: rowQuads,
  slots_layout: slotsLayout,
  special,
  state_weights: stateWeights,
  states,
  sums,
  superposed,
  step: optimizerStep,
  view,
  window,
  window_block: windowBlock,
  winner,
};

/** Rewrites composed shaders, as a compiler may that does not calculate as written. For tests. */
export const rewriting: { rewrite?: (code: string) => string } = {};

/**
 * Resolves every `#import`, each piece once, between comments that say which it is; a number becomes
 * a constant: `#import block`, BLOCK.
 * @throws {SyntaxError} when a name is no shared piece, and no role or number that is filled.
 */
export function compose(code: string, fillings: Fillings = {}): string {
  const seen = new Set<string>();
  const resolve = (source: string): string =>
    source.replace(/^#import (\S+)$/gm, (_, name: string) => {
      if (seen.has(name)) return "";
      seen.add(name);
      const role = name as keyof typeof ROLES;
      const number = NUMBERS.find((number) => number === name);
      const piece = number && fillings[number]
        ? `const ${name.toUpperCase()} = ${fillings[number]}u;`
        : name === "unrolled"
        ? fillings.unrolled
        : name === "activation" && fillings.activation
        ? activationOf(fillings.activation).wgsl
        : SHARED[name] ??
          (ROLES[role] as Record<string, string> | undefined)
            ?.[fillings[role] ?? UNFILLED[role] ?? ""];
      if (piece === undefined) {
        throw new SyntaxError(`Cannot compose a shader: nothing is given for #import ${name}`);
      }
      const filled = number ? undefined : fillings[role];
      const title = filled === undefined || name === "unrolled" ? name : `${name}: ${filled}`;
      return `// <<< ${title}\n${resolve(piece).trimEnd()}\n// >>> ${title}`;
    });
  const composed = resolve(code);
  return rewriting.rewrite?.(composed) ?? composed;
}
