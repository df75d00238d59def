/** What the engine's gradients take, which says on how many threads they are worth evaluating. */

import { type Plan, planOf } from "../core/plan.ts";
import { densityOf } from "../data/samples.ts";
import type { EngineOptions, Method } from "../engine.ts";

/** What an engine's gradient takes, where `samples` are like those that it is taken over. */
export function planFor(
  { network, method, estimator, batch, samples, sharing = true }: EngineOptions,
): Plan {
  return planOf(network, { estimator, batch, method, ...densityOf(samples), sharing });
}

/** About how many multiplications with additions a gradient takes that can be shared out. */
export function workOf({ gradient, whole }: Plan, method: Method): number {
  if (method === "backprop") return 0;
  return [...gradient.flatMap(({ stages }) => stages), ...whole]
    .reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
}
