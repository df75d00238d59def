/**
 * By how much the loss changes when one unit's input does: the unit's response, by each of the ways
 * of core/plan.ts. Every copy's change of the loss is evaluated at its own nudge; copies share only
 * what they have exactly in common.
 */

import { layersBehind, type Network, residualsOf } from "../core/network.ts";
import type { Way } from "../core/plan.ts";
import { activations, losses } from "../operations/registry.ts";
import type { Trace } from "./forward.ts";

/** The unperturbed pass that nudges start from. */
export interface Unperturbed {
  readonly network: Network;
  readonly parameters: Float64Array; // [parameters]
  readonly trace: Trace;
}

/**
 * Writes the changes of sample n's loss for copies in which the input of unit j changes by dz. The
 * bits of one do not depend on which others there are.
 */
export type Respond = (
  n: number,
  j: number,
  dz: Float64Array, // [copies]
  dL: Float64Array, // [copies], written
) => void;

/** What a unit's value is changed by. */
function unitOf({ network, trace }: Unperturbed, l: number) {
  const { outputs, activation } = network.layers[l], f = activations[activation];
  return (n: number, j: number) => {
    const at = n * outputs + j;
    const a = trace.values[l + 1][n * (outputs + 1) + j];
    const c = trace.derivatives[l][at], z = trace.inputs[l][at];
    return { a, z, change: (dz: number) => f.change(a, c, z, dz) };
  };
}

/** Adds `scale` x (row of W) to z. */
function addRow(
  z: Float64Array, // [outputs]
  scale: number,
  parameters: Float64Array,
  row: number,
): void {
  for (let k = 0; k < z.length; k++) z[k] += scale * parameters[row + k];
}

/**
 * Carries a change of one unit of layer l through all layers behind it.
 * @param through what a unit of layer m makes of its input's change.
 * @returns what comes of the logits, [classes], until the next call.
 */
function carrier(
  { network: { layers }, parameters }: Unperturbed,
  l: number,
  through: (m: number, n: number, k: number, dz: number) => number,
): (n: number, j: number, da: number) => Float64Array {
  const behind = layersBehind(layers, l);
  const changes = new Map(behind.map((m) => [m, new Float64Array(layers[m].outputs)]));
  return (n, j, da) => {
    for (const m of behind) {
      const { kind, from, outputs, offset } = layers[m], changed = changes.get(m)!;
      changed.fill(0);
      for (const source of from) {
        const before = changes.get(source);
        if (source === l) {
          if (kind === "dense") addRow(changed, da, parameters, offset + j * outputs);
          else changed[j] += da;
        } else if (before && kind === "dense") {
          for (let k = 0; k < before.length; k++) {
            if (before[k] !== 0) addRow(changed, before[k], parameters, offset + k * outputs);
          }
        } else if (before) {
          for (let k = 0; k < outputs; k++) changed[k] += before[k];
        }
      }
      for (let k = 0; k < outputs; k++) {
        if (changed[k] !== 0) changed[k] = through(m, n, k, changed[k]);
      }
    }
    return changes.get(behind.at(-1)!)!;
  };
}

/** The change of sample n's loss when unit j's value changes by da, by the general way. */
function response(at: Unperturbed, l: number): (n: number, j: number, da: number) => number {
  const { network: { layers, loss }, trace: { batch, residuals } } = at;
  const width = residualsOf(at.network);
  const units = layers.map((_, m) => unitOf(at, m));
  const carry = carrier(at, l, (m, n, k, dz) => units[m](n, k).change(dz));
  const whole = Float64Array.of(1), one = new Float64Array(1);
  return (n, j, da) => {
    if (da === 0) return 0;
    const logits = carry(n, j, da);
    losses[loss].changes(residuals, n * width, batch.labels[n], logits, whole, one);
    return one[0];
  };
}

/** By rows: every copy goes through all layers behind, on its own. */
function byRows(at: Unperturbed, l: number): Respond {
  const unit = unitOf(at, l), respond = response(at, l);
  return (n, j, dz, dL) => {
    const { change } = unit(n, j);
    for (let m = 0; m < dz.length; m++) dL[m] = respond(n, j, change(dz[m]));
  };
}

/** The last layer: one logit moves. */
function byLogit({ network, trace }: Unperturbed): Respond {
  const { changesOfOne } = losses[network.loss], { batch, residuals } = trace;
  const width = residualsOf(network), { classes } = network;
  return (n, j, dz, dL) => changesOfOne(residuals, n * width, batch.labels[n], classes, j, dz, dL);
}

/** Units of a few values: one response for each other value, which copies pick by where z goes. */
function byStates(at: Unperturbed, l: number): Respond {
  const { activate, states } = activations[at.network.layers[l].activation];
  const unit = unitOf(at, l), respond = response(at, l);
  return (n, j, dz, dL) => {
    const { a, z } = unit(n, j), responses = new Map([[a, 0]]);
    for (const state of states!) {
      if (state !== a) responses.set(state, respond(n, j, state - a));
    }
    for (let m = 0; m < dz.length; m++) dL[m] = responses.get(activate(z + dz[m]))!;
  };
}

/** Where logits move along one direction, by the unit's change. */
function along(at: Unperturbed, l: number) {
  const { network: { loss }, trace: { batch, residuals } } = at;
  const unit = unitOf(at, l), { changes } = losses[loss], width = residualsOf(at.network);
  return (n: number, j: number, direction: Float64Array, dz: Float64Array, dL: Float64Array) => {
    const da = dz.map(unit(n, j).change);
    changes(residuals, n * width, batch.labels[n], direction, da, dL);
    return da;
  };
}

/** Nothing but the last layer behind: the logits move along a row of its matrix. */
function directly(at: Unperturbed, l: number): Respond {
  const { parameters, network: { classes, layers } } = at, move = along(at, l);
  const { offset } = layers.at(-1)!;
  return (n, j, dz, dL) => {
    const row = offset + j * classes;
    move(n, j, parameters.subarray(row, row + classes), dz, dL);
  };
}

/**
 * Nothing but linear operations and straight pieces behind: between the kinks that are nearest on
 * either side, the logits move along one direction. Copies beyond go by rows.
 */
function straight(at: Unperturbed, l: number): Respond {
  const { network: { layers }, trace } = at;
  const move = along(at, l), respond = response(at, l);
  let low = -Infinity, high = Infinity; // of the unit's change, up to the first kinks
  const carry = carrier(at, l, (m, n, k, dz) => {
    const { outputs, activation } = layers[m], { slope, bounds } = activations[activation].pieces!;
    const z = trace.inputs[m][n * outputs + k];
    const ends = bounds(z).map((bound) => (bound - z) / dz);
    low = Math.max(low, Math.min(...ends));
    high = Math.min(high, Math.max(...ends));
    return slope(z) * dz;
  });
  return (n, j, dz, dL) => {
    low = -Infinity;
    high = Infinity;
    const direction = carry(n, j, 1);
    const da = move(n, j, direction, dz, dL);
    for (let m = 0; m < da.length; m++) {
      if (!(da[m] >= low && da[m] <= high)) dL[m] = respond(n, j, da[m]);
    }
  };
}

/** The responses of layer l's units, by one of the ways. */
export function responder(at: Unperturbed, l: number, way: Way): Respond {
  switch (way) {
    case "logit":
      return byLogit(at);
    case "states":
      return byStates(at, l);
    case "direct":
      return directly(at, l);
    case "straight":
      return straight(at, l);
    case "fused": // which is the same, in one kernel
    case "rows":
    case "maps":
      return byRows(at, l);
  }
}
