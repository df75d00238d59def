/**
 * A data set of one's own, from a file of tensors: `x` and `t` to train on, `x_test` and `t_test` to
 * test on. Targets are classes, or any numbers (regression).
 */

import { MAX_CLASSES } from "../core/network.ts";
import type { Tensor, Tensors } from "./elements.ts";
import { type DataSet, type Labels, type Samples, withValidation } from "./samples.ts";
import { inLayout, isOneHot, type Layout, onlyLayout, ordered, refuseLayout } from "./weights.ts";

/** Of the samples of a file without a test set, one in so many is held out for it. */
const HELD_OUT = 10;

/** What a sample should give: classes, or rows of numbers. */
type Goals = Pick<Samples, "labels" | "targets"> & { readonly outputs: number };

/** Targets as [count] classes, [count, classes] one-hot rows, or [count, outputs] numbers. */
function goalsOf({ shape, data }: Tensor, name: string, count: number): Goals {
  const [rows, outputs, ...more] = shape;
  if (rows !== count || more.length > 0) {
    refuseLayout(`${name} is [${shape}] for ${count} samples`);
  }
  const asLabels = (labels: ArrayLike<number>): Goals => {
    let most = 0;
    for (let n = 0; n < count; n++) most = Math.max(most, labels[n]);
    return { labels: Uint16Array.from(labels), outputs: most + 1 };
  };
  if (outputs === undefined) {
    const isClass = (t: number) => Number.isInteger(t) && t >= 0 && t < MAX_CLASSES;
    if (data.every(isClass)) return asLabels(data);
    return { labels: new Uint16Array(count), targets: data, outputs: 1 };
  }
  const row = (n: number) => data.subarray(n * outputs, (n + 1) * outputs);
  const indices = Array.from({ length: count }, (_, n) => n);
  if (outputs > 1 && indices.every((n) => isOneHot(row(n)))) {
    return { ...asLabels(indices.map((n) => row(n).indexOf(1))), outputs };
  }
  return { labels: new Uint16Array(count), targets: data, outputs };
}

/** Samples under names that end alike, and their shape. */
function samplesIn(tensors: Tensors, ending: string, layout: Layout) {
  const { shape: [count, ...shape], data } = ordered(tensors, `x${ending}`, layout);
  if (![1, 2, 3].includes(shape.length) || count < 1) {
    refuseLayout(
      `x${ending} is no [count, values], [count, height, width] or [count, channels, height, width]`,
    );
  }
  const { outputs, ...goals } = goalsOf(
    ordered(tensors, `t${ending}`, layout),
    `t${ending}`,
    count,
  );
  const inputs = shape.reduce((product, length) => product * length, 1);
  const samples: Samples = { count, inputs, x: data, ...goals };
  return { samples, shape, outputs };
}

/** Labels of a part, where the other has targets: numbers, as they are. */
function asTargets({ labels, targets, ...samples }: Samples): Samples {
  const zeros: Labels = new Uint16Array(samples.count);
  return { ...samples, labels: zeros, targets: targets ?? Float64Array.from(labels) };
}

/**
 * The data set in a file of tensors. Numbers stand for themselves: what is to be scaled is stored so.
 * Dimensions are
 * as NumPy orders them, or as R does where only that fits. Without `x_test` the last tenth of the samples is held out in its place.
 * @param tell is given a line where that is so.
 * @throws {TypeError} when the file's tensors are none, or do not belong together.
 */
export function dataSetIn(
  tensors: Tensors,
  fileName: string,
  tell: (line: string) => void,
): DataSet {
  const read = (layout: Layout): DataSet => {
    const train = samplesIn(tensors, "", layout), { shape } = train;
    const test = tensors.has("x_test") ? samplesIn(tensors, "_test", layout) : train;
    if (`${test.shape}` !== `${shape}`) {
      refuseLayout(`x has samples of [${shape}], and x_test of [${test.shape}]`);
    }
    const isRegression = train.samples.targets ?? test.samples.targets;
    const parts = [train.samples, test.samples].map(isRegression ? asTargets : (part) => part);
    const outputs = parts.map(({ count, targets }, i) =>
      isRegression ? targets!.length / count : [train, test][i].outputs
    );
    if (outputs[1] > outputs[0] || (isRegression && outputs[1] !== outputs[0])) {
      refuseLayout(`t_test asks for ${outputs[1]} outputs, and t for ${outputs[0]}`);
    }
    const [channels, rows, columns] = shape.length === 2 ? [1, ...shape] : shape;
    return {
      name: fileName,
      inputs: train.samples.inputs,
      classes: outputs[0],
      ...shape.length > 1 ? { image: [channels, rows, columns] as const } : {},
      train: parts[0],
      test: parts[1],
    };
  };
  const { value: data } = inLayout(fileName, onlyLayout(read) ?? "numpy", read);
  if (tensors.has("x_test")) return data;
  const held = Math.max(1, Math.floor(data.train.count / HELD_OUT));
  tell(`${fileName} has no x_test: its last ${held} samples are held out to test on`);
  return withValidation(data, held);
}
