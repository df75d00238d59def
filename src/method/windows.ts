/** The cells of windows, one by one: what twins and bounds of convolutions and pools go by. */

import type { Window } from "../core/network.ts";

/** What one cell of an output's window takes. */
export interface Cell {
  readonly output: number;
  /** The output's channel: its filter. */
  readonly filter: number;
  readonly input: number;
  /** Which of its filter's weights it is. */
  readonly weight: number;
}

/** All cells that are not padding: output by output, and there in the order of the weights. */
export function* cellsOf(window: Window): Generator<Cell> {
  const { input, output, kernel, stride, dilation, pad, groups } = window;
  const taken = input[0] / groups, given = output[0] / groups;
  let at = 0;
  for (let filter = 0; filter < output[0]; filter++) {
    const first = Math.floor(filter / given) * taken;
    for (let row = 0; row < output[1]; row++) {
      for (let column = 0; column < output[2]; column++, at++) {
        for (let weight = 0; weight < taken * kernel[0] * kernel[1]; weight++) {
          const across = weight % kernel[1], down = Math.floor(weight / kernel[1]) % kernel[0];
          const channel = first + Math.floor(weight / kernel[0] / kernel[1]);
          const y = row * stride[0] + down * dilation[0] - pad[0];
          const x = column * stride[1] + across * dilation[1] - pad[1];
          if (y < 0 || y >= input[1] || x < 0 || x >= input[2]) continue;
          const taken = (channel * input[1] + y) * input[2] + x;
          yield { output: at, filter, input: taken, weight };
        }
      }
    }
  }
}

/** Weights of a filter, without its bias. */
export const weightsOf = ({ input, kernel, groups }: Window): number =>
  input[0] / groups * kernel[0] * kernel[1];

/** How many cells each output sees. */
export function countsOf(window: Window): Uint32Array { // [outputs]
  const [channels, height, width] = window.output;
  const counts = new Uint32Array(channels * height * width);
  for (const { output } of cellsOf(window)) counts[output]++;
  return counts;
}
