/**
 * How a gradient is evaluated, and what it costs, before any of it is: pure data, which engines
 * follow and people can read.
 *
 * A nudge of W[i,j] in dense layer l moves, on sample n, one number: the value of unit j. All that
 * follows depends on the sample, the unit and by how much it moves, so that copies which agree in
 * these are evaluated once. What else they have in common depends on what stands behind the layer,
 * and is each layer's way. A nudge of a convolution's weight moves one channel's map.
 */

import { activationOf, losses } from "../operations/registry.ts";
import { statesWithin } from "../operations/states.ts";
import { sizeOfShape } from "../operations/structure.ts";
import { tapCount } from "../operations/window.ts";
import { type Estimator, estimatorAt, lossEvaluations, stencilOf } from "./estimator.ts";
import { channelsIn, movedBehind, type Range } from "./moved.ts";
import {
  DATA,
  type Layer,
  layerName,
  layersBehind,
  type Network,
  weightedLayers,
} from "./network.ts";

/**
 * How the copies of a layer's weights are evaluated:
 * - "logit": it is the last layer, and one logit moves.
 * - "states": its units have but a few values, and one response to each other value serves every
 *   input, sign and h.
 * - "direct": the last layer alone stands behind, and the logits move along a row of its matrix.
 * - "straight": what stands behind is linear between kinks, and the logits move along one direction
 *   a sample and unit, as far as the first kink; copies beyond it go by rows.
 * - "fused": by rows, in one kernel from the unit to the loss.
 * - "rows": a row of changes for each copy through all that stands behind.
 * - "maps": it is a convolution, and a nudge moves its channel's map. Where that goes straight (see
 *   `mapsGoStraight`) the logits move along one direction a sample and weight, as far as the first
 *   kink or change of a pool's winner; copies beyond it, and all where it does not, go by rows.
 */
export type Way = "logit" | "states" | "direct" | "straight" | "fused" | "rows" | "maps";

/** One kind of work. */
export interface Stage {
  readonly label: string;
  /** Rows of numbers that it makes: copies, responses or directions, of one sample each. */
  readonly rows: number;
  /** Multiplications with additions, or what takes as long; additions alone are not counted. */
  readonly multiplyAdds: number;
}

/** How one layer's weights get their gradient. */
export interface LayerPlan {
  /** Its index among the network's layers. */
  readonly layer: number;
  readonly way: Way;
  readonly stages: readonly Stage[];
}

/** All that a gradient takes. */
export interface Plan {
  readonly forward: readonly Stage[];
  /** For each layer with weights, where weights are nudged one by one as exact changes; else none. */
  readonly gradient: readonly LayerPlan[];
  /** Where all weights are taken at once: whole copies, random directions, backpropagation. */
  readonly whole: readonly Stage[];
  /** Of all stages together. */
  readonly multiplyAdds: number;
}

/** What a device takes in one kernel from a unit to the loss. */
export interface Fused {
  /** Units of the widest layer behind, the last apart. */
  readonly width: number;
  /** Layers behind, the last among them. */
  readonly layers: number;
  readonly classes: number;
}

/** What a plan depends on beside the network. */
export interface PlanOptions {
  readonly estimator: Estimator;
  /** Samples in a batch. */
  readonly batch: number;
  /** Default differences. */
  readonly method?: "differences" | "copies" | "backprop";
  /** Expected inputs of a sample of the data that are not 0, the bias's constant 1 included. */
  readonly nonzeros: number;
  /** The same, those counted once that are equal. */
  readonly distinct: number;
  /** Whether copies share what they have in common; without it every copy goes by itself. */
  readonly sharing: boolean;
  /** What the fused way takes; none of it by default. */
  readonly fused?: Fused;
  /** Whether what the units of maps do to the logits is added up: see `layerBetween`. */
  readonly superposed?: boolean;
}

/** Whether all behind layer l is linear between kinks and changes of a pool's winner. */
const isStraightBehind = (layers: readonly Layer[], l: number) =>
  layersBehind(layers, l).every((m) => activationOf(layers[m].activation).pieces);

/**
 * Whether one direction a sample and weight serves all its copies up to the first kink: a whole map
 * goes through the layer's own activation, which has to be made of pieces, too.
 */
export const mapsGoStraight = (
  layers: readonly Layer[],
  l: number,
  { sharing }: Pick<PlanOptions, "sharing">,
): boolean =>
  sharing && activationOf(layers[l].activation).pieces !== undefined && isStraightBehind(layers, l);

/** The one layer that takes layer l; `undefined` where none or several do. */
function takerOf(layers: readonly Layer[], l: number): number | undefined {
  const [m, ...others] = layers.flatMap(({ from }, m) => from.includes(l) ? [m] : []);
  return others.length > 0 ? undefined : m;
}

/**
 * The max pool that takes convolution l, where it is the only one that does and its windows lie
 * within the map: both can be taken in one.
 */
export function poolBehind(layers: readonly Layer[], l: number): number | undefined {
  const m = takerOf(layers, l);
  if (m === undefined) return undefined;
  const { kind, window, activation } = layers[m];
  if (kind !== "maxpool" || activation !== "identity") return undefined;
  const { input, output, kernel, stride, dilation, pad } = window!;
  const isWithin = [0, 1].every((d) =>
    dilation[d] === 1 && pad[d] === 0 &&
    (output[d + 1] - 1) * stride[d] + kernel[d] <= input[d + 1]
  );
  return isWithin ? m : undefined;
}

/**
 * The layer of units between convolution l, pooled or not, and the logits, where there is just one:
 * what each unit of the maps does to the logits is then evaluated once for all filters' weights that
 * move it, and added up for each.
 */
export function layerBetween(layers: readonly Layer[], l: number): number | undefined {
  const m = takerOf(layers, poolBehind(layers, l) ?? l), last = layers.length - 1;
  if (m === undefined || layers[m].kind !== "dense" || layers[last].kind !== "dense") return;
  return m < last && takerOf(layers, m) === last && layers[last].activation === "identity"
    ? m
    : undefined;
}

/** The way of a layer's copies. */
function wayOf(network: Network, l: number, { sharing, fused }: PlanOptions): Way {
  const { layers } = network, last = layers.length - 1;
  if (layers[l].kind === "conv") return "maps";
  if (l === last) return "logit";
  if (!sharing) return "rows";
  if (activationOf(layers[l].activation).states) return "states";
  const behind = layersBehind(layers, l);
  if (behind.length === 1 && behind[0] === last) return "direct";
  if (isStraightBehind(layers, l)) return "straight";
  const isChain = behind.every((m, i) =>
    layers[m].kind === "dense" && layers[m].from[0] === (i === 0 ? l : behind[i - 1])
  );
  const isSmooth = (m: number) => activationOf(layers[m].activation).series === true;
  const isNarrow = fused !== undefined && losses[network.loss].isSmooth &&
    behind.length <= fused.layers &&
    layers[last].outputs <= fused.classes && isSmooth(l) &&
    behind.slice(0, -1).every((m) => layers[m].outputs <= fused.width && isSmooth(m));
  return isChain && isNarrow ? "fused" : "rows";
}

/**
 * What a layer takes of which these of its inputs move, or all of them: its multiplications with
 * additions, without those of its biases, and comparisons, which take as long.
 */
function productsOf({ kind, inputs, outputs, window }: Layer, taken: Range = [0, inputs]): number {
  if (!window) return kind === "dense" ? (taken[1] - taken[0]) * outputs : 0;
  const [first, end] = channelsIn(window, taken), { output, groups } = window;
  // Each channel goes into all of its group: into itself alone, where it is a pool's.
  const maps = (end - first) * output[0] / groups;
  return maps * (kind === "avgpool" ? output[1] * output[2] : tapCount(window));
}

/** The units whose changes stand for those of all, each of which costs what its kind does. */
function unitsOf({ window, outputs }: Layer): Range[] {
  if (!window) return [[0, 1]];
  const [channels] = window.output, area = outputs / channels;
  return Array.from({ length: channels }, (_, c) => [c * area, (c + 1) * area] as const);
}

/** What one row takes through each layer behind layer l, of which a unit or a map has moved. */
function costsBehind({ layers }: Network, l: number): { layer: number; multiplyAdds: number }[] {
  const sums = new Map<number, number>(), starts = unitsOf(layers[l]);
  for (const start of starts) {
    for (const [m, { taken, units }] of movedBehind(layers, l, start)) {
      const { work } = activationOf(layers[m].activation);
      const cost = productsOf(layers[m], taken) + (units[1] - units[0]) * work;
      sums.set(m, (sums.get(m) ?? 0) + cost);
    }
  }
  return [...sums].map(([layer, sum]) => ({ layer, multiplyAdds: sum / starts.length }));
}

/** Rows of numbers that are made, and what they take. */
const stage = (label: string, rows: number, each: number): Stage => ({
  label,
  rows,
  multiplyAdds: rows * each,
});

/** What rows take through all that is behind layer l. */
const stagesBehind = (network: Network, l: number, rows: number, what = "") =>
  costsBehind(network, l).map(({ layer, multiplyAdds }) =>
    stage(what + layerName(network, layer), rows, multiplyAdds)
  );

/** The stages of a convolution, where a row is of a weight. */
function stagesOfMaps(network: Network, l: number, options: PlanOptions): Stage[] {
  const { layers, classes, loss } = network, { batch } = options;
  const { activation, outputs, window, inputs, from, tensors: [filters, biases] } = layers[l];
  const [weights, bias] = [filters, biases].map(({ shape }) => sizeOfShape(shape));
  const rows = batch * (weights + bias), copies = rows * stencilOf(options.estimator).length;
  // A weight's nudge moves what stands where its cell looks and is not 0; a bias's, all of the map.
  const share = from[0] === DATA ? (options.nonzeros - 1) / inputs : 1;
  const cells = window!.kernel[0] * window!.kernel[1];
  const moved = (weights * share * tapCount(window!) / cells + outputs) / (weights + bias);
  const each = moved * activationOf(activation).work;
  const isStraight = mapsGoStraight(layers, l, options);
  const what = isStraight ? "directions" : "nudges";
  const behind = [
    stage(loss, copies, classes * losses[loss].work),
    stage("collect", copies, 1),
  ];
  const between = isStraight && options.superposed ? layerBetween(layers, l) : undefined;
  if (between !== undefined) {
    const units = layers[between].inputs, [channels] = window!.output;
    return [
      stage(
        `directions of units, ${layerName(network, between)}`,
        batch * units,
        layers[between].outputs * classes,
      ),
      stage("directions, added up", rows, units / channels * (1 + classes)),
      ...behind,
    ];
  }
  return [
    stage(`${what}, ${activation}`, isStraight ? rows : copies, each),
    ...stagesBehind(network, l, isStraight ? rows : copies, isStraight ? "directions, " : ""),
    ...behind,
  ];
}

/** The most that a nudge moves a unit's input by; where it takes the data, these count as up to 1. */
function reachOf(layers: readonly Layer[], l: number, { estimator }: PlanOptions): number {
  const [from] = layers[l].from;
  const range = from === DATA ? [1] : activationOf(layers[from].activation).range;
  const farthest = Math.max(...stencilOf(estimator).map(({ offset }) => Math.abs(offset)));
  return farthest * estimator.h * Math.max(1, ...range.map(Math.abs));
}

/** The stages of a layer whose weights are nudged one by one. */
function stagesOf(network: Network, l: number, way: Way, options: PlanOptions): Stage[] {
  if (way === "maps") return stagesOfMaps(network, l, options);
  const { layers, classes } = network, { batch } = options;
  const { from, inputs, outputs, activation } = layers[l];
  const isData = from[0] === DATA;
  const entries = isData ? options.nonzeros : inputs + 1;
  // Of the values that some activations have, one is not 0, and that is the constant's, too.
  const values = isData ? undefined : activationOf(layers[from[0]].activation).states?.values;
  const isOne = values?.length === 2 && values[0] === 0 && values[1] === 1;
  const slots = !options.sharing ? entries : isData ? options.distinct : isOne ? 1 : entries;
  const points = stencilOf(options.estimator).length;
  const { work, states } = activationOf(activation);
  const responses = batch * outputs *
    (states ? statesWithin(states, reachOf(layers, l, options)) : 0);
  const copies = batch * slots * outputs * points;

  const behind = (rows: number, what?: string) => stagesBehind(network, l, rows, what);
  const lossOf = (rows: number, logits: number) =>
    stage(network.loss, rows, logits * losses[network.loss].work);
  const nudge = stage(`nudges, ${activation}`, copies, work);
  const pick = batch * entries * outputs;
  // Each slot's copies are weighed and added once, and their sum goes to each of its inputs.
  const collect = {
    label: "collect",
    rows: pick,
    multiplyAdds: copies + (slots < entries ? pick : 0),
  };

  switch (way) {
    case "logit":
      return [lossOf(copies, 1), collect];
    case "states":
      return [
        stage(`flips, ${activation}`, responses, work),
        ...behind(responses, "responses, "),
        lossOf(responses, classes),
        stage("collect", pick, points),
      ];
    case "direct":
      return [nudge, lossOf(copies, classes), collect];
    case "straight":
      return [
        ...behind(batch * outputs, "directions, "),
        nudge,
        lossOf(copies, classes),
        collect,
      ];
    case "fused":
    case "rows":
      return [nudge, ...behind(copies), lossOf(copies, classes), collect];
  }
}

/**
 * What one sample takes through a layer, whole.
 * @param entries values of the data that are not 0, with the constant 1 behind them.
 */
function wholeCost(layer: Layer, entries: number): number {
  const { kind, from, inputs, outputs, activation } = layer;
  const share = from[0] === DATA && kind !== "maxpool" ? (entries - 1) / inputs : 1;
  const biases = kind === "dense" ? outputs : 0;
  return share * productsOf(layer) + biases + outputs * activationOf(activation).work;
}

/** Where all weights are taken at once. */
function wholeStages(network: Network, options: PlanOptions): Stage[] {
  const { estimator, batch, method } = options, { layers, classes } = network;
  const pass = (entries: number) =>
    layers.reduce((sum, layer) => sum + wholeCost(layer, entries), 0) +
    classes * losses[network.loss].work;
  if (method === "backprop") {
    const products = layers.map((layer) =>
      productsOf(layer) + (layer.kind === "dense" ? layer.outputs : 0)
    );
    const each = 2 * products.reduce((sum, product) => sum + product, 0);
    return [stage("backpropagation", batch, each)];
  }
  const copies = batch * lossEvaluations(estimator, network);
  if (method === "copies") return [stage("whole copies", copies, pass(options.nonzeros))];
  // Changes go through the weights nudged, and values through the nudges, each as a pass does.
  return [stage("random directions", copies, 2 * pass(network.inputs + 1))];
}

/** The plan for a gradient. */
export function planOf(network: Network, options: PlanOptions): Plan {
  const { batch, nonzeros, method = "differences", estimator } = options;
  const { layers, classes } = network;
  const forward = [
    ...layers.map((layer, l) => ({
      label: layerName(network, l),
      rows: batch,
      multiplyAdds: batch * wholeCost(layer, nonzeros),
    })),
    {
      label: network.loss,
      rows: batch,
      multiplyAdds: batch * classes * losses[network.loss].work,
    },
  ];
  const isOneByOne = method === "differences" && estimator.name !== "spsa";
  const optionsAt = (l: number) => ({ ...options, estimator: estimatorAt(estimator, network, l) });
  const gradient = isOneByOne
    ? weightedLayers(layers).map((layer): LayerPlan => {
      const l = layers.indexOf(layer), way = wayOf(network, l, optionsAt(l));
      return { layer: l, way, stages: stagesOf(network, l, way, optionsAt(l)) };
    })
    : [];
  const whole = isOneByOne ? [] : wholeStages(network, options);
  const multiplyAdds = [...forward, ...gradient.flatMap(({ stages }) => stages), ...whole]
    .reduce((sum, stage) => sum + stage.multiplyAdds, 0);
  return { forward, gradient, whole, multiplyAdds };
}
