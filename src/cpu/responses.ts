/**
 * By how much the loss changes when one unit's input does, or a map's: its response, by each of the
 * ways of core/plan.ts. Every copy's change of the loss is evaluated at its own nudge; copies share only
 * what they have exactly in common.
 */

import { movedBehind, type Range } from "../core/moved.ts";
import { layersBehind, type Network, residualsOf } from "../core/network.ts";
import { mapsGoStraight, type Way } from "../core/plan.ts";
import { activationOf, losses } from "../operations/registry.ts";
import type { Trace } from "./forward.ts";
import { addConvolution, addMeans, changeLargest, moveLargest, type Windowed } from "./windows.ts";

/** The unperturbed pass that nudges start from. */
export interface Unperturbed {
  readonly network: Network;
  readonly parameters: Float64Array; // [parameters]
  readonly trace: Trace;
}

/** The ways of layers of which a nudge moves one unit. */
export type UnitWay = Exclude<Way, "maps">;

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
export function unitOf({ network, trace }: Unperturbed, l: number) {
  const { outputs, activation } = network.layers[l], f = activationOf(activation);
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

/** What becomes of changes on their way through layer m. */
export interface Through {
  unit(m: number, n: number, k: number, dz: number): number;
  /** Of the windows of a max pool that take values which moved. */
  largest(
    m: number,
    n: number,
    moved: Range,
    da: Float64Array, // [inputs]
    dz: Float64Array, // [outputs], written
  ): void;
}

/** The finite changes themselves. */
export function exactly(at: Unperturbed): Through {
  const units = at.network.layers.map((_, m) => unitOf(at, m));
  return {
    unit: (m, n, k, dz) => units[m](n, k).change(dz),
    largest(m, n, moved, da, dz) {
      const { layer, winners, x } = poolOf(at, m, n);
      changeLargest(layer, winners, x, da, dz, moved);
    },
  };
}

/** A max pool, its unperturbed winners, and what it takes of a sample. */
export function poolOf({ network: { layers }, trace }: Unperturbed, m: number, n: number) {
  const layer = layers[m] as Windowed, { inputs, outputs, from: [source] } = layer;
  return {
    layer,
    winners: trace.winners[m]!.subarray(n * outputs, (n + 1) * outputs),
    x: trace.values[source + 1].subarray(n * (inputs + 1), (n + 1) * (inputs + 1)),
  };
}

/** Changes along a direction, between the kinks and changes of a winner nearest on either side. */
class Straight implements Through {
  #low = -Infinity;
  #high = Infinity;

  constructor(readonly at: Unperturbed) {}

  restart(): void {
    [this.#low, this.#high] = [-Infinity, Infinity];
  }

  reaches(length: number): boolean {
    return length >= this.#low && length <= this.#high;
  }

  #narrow(one: number, other: number): void {
    this.#low = Math.max(this.#low, Math.min(one, other));
    this.#high = Math.min(this.#high, Math.max(one, other));
  }

  unit(m: number, n: number, k: number, dz: number): number {
    const { network: { layers }, trace } = this.at, { outputs, activation } = layers[m];
    const { slope, bounds } = activationOf(activation).pieces!;
    const z = trace.inputs[m][n * outputs + k], [below, above] = bounds(z);
    this.#narrow((below - z) / dz, (above - z) / dz);
    return slope(z) * dz;
  }

  largest(m: number, n: number, moved: Range, da: Float64Array, dz: Float64Array): void {
    const { layer, winners, x } = poolOf(this.at, m, n);
    this.#narrow(...moveLargest(layer, winners, x, da, dz, moved));
  }
}

/**
 * Carries changes of some units of layer l through all layers behind it.
 * @returns what comes of the logits, [classes], until the next call.
 */
export function carrier(
  { network: { layers }, parameters }: Unperturbed,
  l: number,
  through: Through,
): (n: number, units: Range, da: Float64Array) => Float64Array {
  const behind = layersBehind(layers, l);
  const changes = new Map([l, ...behind].map((m) => [m, new Float64Array(layers[m].outputs)]));
  const moves = new Map<number, ReturnType<typeof movedBehind>>(); // by the first unit
  return (n, units, da) => { // da: [units]
    const [first] = units;
    if (!moves.has(first)) moves.set(first, movedBehind(layers, l, units));
    const start = changes.get(l)!.fill(0);
    start.set(da, first);
    for (const [m, { taken, units: [from, to] }] of moves.get(first)!) {
      const layer = layers[m], { kind, offset, outputs } = layer;
      const changed = changes.get(m)!.fill(0);
      for (const source of layer.from) {
        const before = changes.get(source);
        if (!before) continue; // it is not behind l
        if (kind === "sum") { for (let k = from; k < to; k++) changed[k] += before[k]; }
        else if (kind === "dense") {
          for (let k = taken[0]; k < taken[1]; k++) {
            if (before[k] !== 0) addRow(changed, before[k], parameters, offset + k * outputs);
          }
        } else if (kind === "conv") {
          addConvolution(layer as Windowed, parameters, before, changed, taken);
        } else if (kind === "avgpool") addMeans(layer as Windowed, before, changed, taken);
        else through.largest(m, n, taken, before, changed);
      }
      for (let k = from; k < to; k++) {
        if (changed[k] !== 0) changed[k] = through.unit(m, n, k, changed[k]);
      }
    }
    return changes.get(behind.at(-1)!)!;
  };
}

/** The change of sample n's loss when some units' values change by da, by the general way. */
function response(
  at: Unperturbed,
  l: number,
): (n: number, units: Range, da: Float64Array) => number {
  const { network: { loss }, trace: { batch, residuals } } = at;
  const width = residualsOf(at.network), carry = carrier(at, l, exactly(at));
  const whole = Float64Array.of(1), one = new Float64Array(1);
  return (n, units, da) => {
    if (da.every((change) => change === 0)) return 0;
    const logits = carry(n, units, da);
    losses[loss].changes(residuals, n * width, batch.labels[n], logits, whole, one);
    return one[0];
  };
}

/** The same of one unit. */
export function responseOfUnit(
  at: Unperturbed,
  l: number,
): (n: number, j: number, da: number) => number {
  const respond = response(at, l), one = new Float64Array(1);
  return (n, j, da) => respond(n, [j, j + 1], one.fill(da));
}

/** By rows: every copy goes through all layers behind, on its own. */
function byRows(at: Unperturbed, l: number): Respond {
  const unit = unitOf(at, l), respond = responseOfUnit(at, l);
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

/** Units of a few values: one response for each other value that any nudge takes them to. */
function byStates(at: Unperturbed, l: number): Respond {
  const { of } = activationOf(at.network.layers[l].activation).states!;
  const unit = unitOf(at, l), respond = responseOfUnit(at, l);
  return (n, j, dz, dL) => {
    const { z, change } = unit(n, j), responses = new Map([[of(z), 0]]);
    for (let m = 0; m < dz.length; m++) {
      const state = of(z + dz[m]);
      if (!responses.has(state)) responses.set(state, respond(n, j, change(dz[m])));
      dL[m] = responses.get(state)!;
    }
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
  const move = along(at, l), respond = responseOfUnit(at, l), whole = Float64Array.of(1);
  const reach = new Straight(at), carry = carrier(at, l, reach);
  return (n, j, dz, dL) => {
    reach.restart();
    const direction = carry(n, [j, j + 1], whole);
    const da = move(n, j, direction, dz, dL);
    for (let m = 0; m < da.length; m++) {
      if (!reach.reaches(da[m])) dL[m] = respond(n, j, da[m]);
    }
  };
}

/**
 * Writes the changes of sample n's loss for copies in which the inputs of a channel's map change by
 * so many times `shifted`.
 */
type RespondMap = (
  n: number,
  channel: number,
  shifted: Float64Array, // [places]
  sizes: Float64Array, // [copies]
  dL: Float64Array, // [copies], written
) => void;

/** The responses of convolution l's maps: along a direction where they go straight, else by rows. */
export function mapResponder(at: Unperturbed, l: number, sharing: boolean): RespondMap {
  const { network: { layers, loss }, trace: { batch, residuals } } = at;
  const respond = response(at, l), exact = exactly(at), width = residualsOf(at.network);
  const reach = new Straight(at), carry = carrier(at, l, reach);
  /** What comes of the map's values. */
  const through = (
    by: Through,
    n: number,
    first: number,
    dz: (place: number) => number,
    da: Float64Array,
  ) => {
    for (let place = 0; place < da.length; place++) {
      const change = dz(place);
      da[place] = change === 0 ? 0 : by.unit(l, n, first + place, change);
    }
    return da;
  };
  const isStraight = mapsGoStraight(layers, l, { sharing });
  return (n, channel, shifted, sizes, dL) => {
    const first = channel * shifted.length, da = new Float64Array(shifted.length);
    const units = [first, first + shifted.length] as const;
    reach.restart();
    if (isStraight) {
      through(reach, n, first, (place) => shifted[place], da);
      const direction = carry(n, units, da);
      losses[loss].changes(residuals, n * width, batch.labels[n], direction, sizes, dL);
    }
    sizes.forEach((size, m) => {
      if (isStraight && reach.reaches(size)) return;
      dL[m] = respond(n, units, through(exact, n, first, (place) => size * shifted[place], da));
    });
  };
}

/** The responses of layer l's units, by one of the ways. */
export function responder(at: Unperturbed, l: number, way: UnitWay): Respond {
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
      return byRows(at, l);
  }
}
