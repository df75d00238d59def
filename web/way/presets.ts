/** Runs worth beginning with: what there is to be seen, one after the other. */

import type { Texts } from "./settings.ts";

/** Each with the settings that differ from their defaults. */
export const PRESETS = {
  tutorial: { steps: "600" },
  step: { activation: "step", steps: "600" },
  deep: { hidden: "50,50,50", activation: "relu", lr: "0.1", steps: "600" },
  conv: { network: "conv 8x5, relu, maxpool 2, dense 50, relu", lr: "0.1", steps: "300" },
  best: {
    network: "dense 256, relu, dense 128, relu",
    data: "mnist",
    init: "he",
    h: "1e-5",
    optimizer: "adam",
    lr: "0.003",
    schedule: "cosine",
    decay: "0.05",
    steps: "6000",
  },
} as const satisfies Record<string, Partial<Texts>>;

export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];
