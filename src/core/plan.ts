/**
 * How a gradient is evaluated, and what it costs, before any of it is: pure data, which engines
 * follow and people can read.
 *
 * A nudge of W[i,j] in layer l moves, on sample n, one number: the value of unit j. All that
 * follows depends on the sample, the unit and by how much it moves, so that copies which agree in
 * these are evaluated once. What else they have in common depends on what stands behind the layer,
 * and is each layer's way.
 */

import type { Activation } from "../operations/activation.ts";
import { activations, losses } from "../operations/registry.ts";
import { type Estimator, stencilOf } from "./estimator.ts";
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
 */
export type Way = "logit" | "states" | "direct" | "straight" | "fused" | "rows";

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
  /** For each dense layer, where weights are nudged one by one as exact changes; else none. */
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
}

/** The way of a dense layer's copies. */
function wayOf(network: Network, l: number, { sharing, fused }: PlanOptions): Way {
  const { layers } = network, last = layers.length - 1;
  if (l === last) return "logit";
  if (!sharing) return "rows";
  if (activations[layers[l].activation].states) return "states";
  const behind = layersBehind(layers, l);
  if (behind.length === 1 && behind[0] === last) return "direct";
  if (behind.every((m) => activations[layers[m].activation].pieces)) return "straight";
  const isChain = behind.every((m, i) =>
    layers[m].kind === "dense" && layers[m].from[0] === (i === 0 ? l : behind[i - 1])
  );
  const isSmooth = (m: number) => (activations[layers[m].activation] as Activation).series === true;
  const isNarrow = fused !== undefined && behind.length <= fused.layers &&
    layers[last].outputs <= fused.classes && isSmooth(l) &&
    behind.slice(0, -1).every((m) => layers[m].outputs <= fused.width && isSmooth(m));
  return isChain && isNarrow ? "fused" : "rows";
}

/** What one row takes through each layer behind layer l, whose one unit has moved. */
function costsBehind({ layers }: Network, l: number): { layer: number; multiplyAdds: number }[] {
  const moved = new Map([[l, 1]]); // units of each layer that move
  return layersBehind(layers, l).map((m) => {
    const { kind, from, outputs, activation } = layers[m];
    const taken = from.map((source) => moved.get(source) ?? 0);
    const units = kind === "dense" ? outputs : Math.max(...taken);
    moved.set(m, units);
    const products = kind === "dense" ? taken[0] * outputs : 0;
    return { layer: m, multiplyAdds: products + units * activations[activation].work };
  });
}

/** The stages of one dense layer. */
function stagesOf(network: Network, l: number, way: Way, options: PlanOptions): Stage[] {
  const { layers, classes } = network, { batch } = options;
  const { from, inputs, outputs, activation } = layers[l];
  const isData = from[0] === DATA;
  const entries = isData ? options.nonzeros : inputs + 1;
  const slots = isData && options.sharing ? options.distinct : entries;
  const points = stencilOf(options.estimator).length;
  const { work, states = [] } = activations[activation];
  const responses = batch * outputs * (states.length - 1);
  const copies = batch * slots * outputs * points;

  const stage = (label: string, rows: number, each: number): Stage => ({
    label,
    rows,
    multiplyAdds: rows * each,
  });
  const behind = (rows: number, what = "") =>
    costsBehind(network, l).map(({ layer, multiplyAdds }) =>
      stage(what + layerName(network, layer), rows, multiplyAdds)
    );
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

/** What one sample takes through a layer, whole. */
function wholeCost({ kind, from, inputs, outputs, activation }: Layer, entries: number): number {
  const products = kind === "dense" ? (from[0] === DATA ? entries : inputs + 1) * outputs : 0;
  return products + outputs * activations[activation].work;
}

/** Where all weights are taken at once. */
function wholeStages(network: Network, options: PlanOptions): Stage[] {
  const { estimator, batch, method } = options, { layers, parameters, classes } = network;
  const pass = (entries: number) =>
    layers.reduce((sum, layer) => sum + wholeCost(layer, entries), 0) +
    classes * losses[network.loss].work;
  const stage = (label: string, rows: number, each: number) => [
    { label, rows, multiplyAdds: rows * each },
  ];
  if (method === "backprop") return stage("backpropagation", batch, 2 * parameters);
  const directions = estimator.name === "spsa" ? estimator.queries : parameters;
  const copies = batch * directions * stencilOf(estimator).length;
  return method === "copies"
    ? stage("whole copies", copies, pass(options.nonzeros))
    : stage("random directions", copies, 2 * parameters + pass(0));
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
  const gradient = isOneByOne
    ? weightedLayers(layers).map((layer): LayerPlan => {
      const l = layers.indexOf(layer), way = wayOf(network, l, options);
      return { layer: l, way, stages: stagesOf(network, l, way, options) };
    })
    : [];
  const whole = isOneByOne ? [] : wholeStages(network, options);
  const multiplyAdds = [...forward, ...gradient.flatMap(({ stages }) => stages), ...whole]
    .reduce((sum, stage) => sum + stage.multiplyAdds, 0);
  return { forward, gradient, whole, multiplyAdds };
}
