/**
 * A convolution, as neural networks have it (cross-correlation): each output channel is the sum of
 * its group's input maps, shifted and weighed by its filter, and its bias.
 */

import { sizeOfShape, type Structure } from "./structure.ts";
import {
  mapsOf,
  type Placement,
  placementOf,
  textOfPair,
  windowOf,
  wordsOfPlacement,
} from "./window.ts";

/** What a convolution is told. */
export interface Convolution extends Placement {
  /** Output channels. */
  readonly channels: number;
  /** Default 1. */
  readonly groups?: number;
}

export const conv: Structure<Convolution> = {
  name: "conv",
  onnx: ["Conv"],
  takes: [1, 1],
  ofMaps: true,
  parse([size, ...words]) {
    const match = /^(\d+)x(\d+)(?:x(\d+))?$/.exec(size ?? "");
    const [channels, down, across] = (match ?? []).slice(1).map((text) => Number(text));
    if (!match || channels < 1 || down < 1 || across < 1) {
      throw new SyntaxError(
        "conv takes output channels and kernel, as in conv 30x5, or conv 30x5x3 for 5 down, 3 across",
      );
    }
    const kernel = [down, match[3] === undefined ? down : across] as const;
    const { stride, pad, dilation, groups } = placementOf(
      words,
      kernel,
      ["stride", "pad", "dilation", "groups"],
    );
    return {
      channels,
      kernel,
      ...(stride && { stride }),
      ...(pad && { pad }),
      ...(dilation && { dilation }),
      ...(groups && { groups }),
    };
  },
  words: ({ channels, kernel, ...placement }) => [
    `${channels}x${textOfPair(kernel)}`,
    ...wordsOfPlacement({
      ...placement,
      stride: placement.stride?.some((step) => step > 1) ? placement.stride : undefined,
    }),
  ],
  build([shape], { channels, groups = 1, ...placement }) {
    const input = mapsOf(shape);
    if (!(Number.isInteger(channels) && channels >= 1)) {
      throw new RangeError(`it has ${channels} channels, and they are a whole number from 1`);
    }
    if (!Number.isInteger(groups) || groups < 1 || input[0] % groups || channels % groups) {
      throw new RangeError(
        `its ${groups} groups do not divide its ${input[0]} channels and its ${channels} filters`,
      );
    }
    const window = windowOf(input, channels, groups, placement);
    const filter = [input[0] / groups, ...window.kernel];
    const cells = window.kernel[0] * window.kernel[1];
    return {
      kind: "conv",
      shape: window.output,
      window,
      tensors: [{ letter: "W", shape: [channels, ...filter] }, { letter: "b", shape: [channels] }],
      fan: [sizeOfShape(filter), channels / groups * cells],
    };
  },
};
