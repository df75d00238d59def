/** What a network is trained and tested on: the shape every data source delivers. */

import { complaint, firstBad, type Precision } from "../core/finite.ts";

/** A class each, from 0; bytes where they suffice, as in MNIST's files. */
export type Labels = Uint8Array | Uint16Array;

/** Labelled samples. A byte of `x` stands for byte / 255; floats stand for themselves. */
export interface Samples {
  /** How many samples. */
  readonly count: number;
  /** Values per sample. */
  readonly inputs: number;
  /** Inputs, row by row. Bytes stay bytes until they reach the device. */
  readonly x: Uint8Array | Float32Array | Float64Array; // [count, inputs]
  /** The class of each sample, from 0. */
  readonly labels: Labels; // [count]
  /**
   * With the squared error: what the outputs should be, any numbers, in place of one-hot rows of the
   * labels, which mean nothing then.
   */
  readonly targets?: Float32Array | Float64Array; // [count, outputs]
}

/** A training set and a test set of one kind. */
export interface DataSet {
  /** What it is, for people: "MNIST", "synthetic digits", or the folder it came from. */
  readonly name: string;
  /** Values per sample. */
  readonly inputs: number;
  /** Number of classes: one more than the largest label; or of outputs, where samples have targets. */
  readonly classes: number;
  /** The shape of a sample, where it is an image. */
  readonly image?: readonly [channels: number, rows: number, columns: number];
  readonly train: Samples;
  readonly test: Samples;
}

/**
 * Refuses samples with values that are no numbers, or of classes that a network does not know; and
 * targets that its loss does not take.
 * @throws {RangeError} naming the first.
 */
export function checkSamples(
  { count, x, inputs, labels, targets }: Samples,
  { classes, loss }: { readonly classes: number; readonly loss: string },
  precision: Precision,
): void {
  if (targets) {
    if (loss !== "squared-error") {
      throw new RangeError(
        `Cannot use targets of any numbers with ${loss}: it takes classes; use squared-error`,
      );
    }
    if (targets.length !== count * classes) {
      throw new RangeError(
        `Cannot use ${targets.length} targets: ${count} samples of ${classes} outputs take ` +
          `${count * classes}; mend the data`,
      );
    }
    const bad = firstBad(targets, precision);
    if (bad >= 0) {
      throw new RangeError(
        `Cannot compute with target ${bad % classes} of sample ${Math.floor(bad / classes)} = ${
          targets[bad]
        }: ${complaint(targets[bad], precision)}; mend the data`,
      );
    }
  }
  const strange = labels.findIndex((label) => label >= classes);
  if (strange >= 0) {
    throw new RangeError(
      `Cannot use label ${labels[strange]} of sample ${strange}: the network tells ${classes} ` +
        `classes apart, from 0 to ${classes - 1}; mend the data`,
    );
  }
  const bad = x instanceof Uint8Array ? -1 : firstBad(x, precision);
  if (bad < 0) return;
  throw new RangeError(
    `Cannot compute with value ${bad % inputs} of sample ${Math.floor(bad / inputs)} = ${
      x[bad]
    }: ` +
      `${complaint(x[bad], precision)}; mend the data`,
  );
}

/**
 * A data set whose last so many training samples are held out, in place of the test set: what settings are
 * chosen by without a look at it.
 * @throws {RangeError} when they are no whole number from 1, or none would be left to train on.
 */
export function withValidation(data: DataSet, held: number): DataSet {
  const { count } = data.train;
  if (!(Number.isInteger(held) && held >= 1 && held < count)) {
    throw new RangeError(
      `Cannot hold out ${held} samples for validation: give a whole number from 1 to ${
        count - 1
      }, ` +
        `as there are ${count} training samples`,
    );
  }
  const part = (from: number, to: number): Samples => ({
    count: to - from,
    inputs: data.train.inputs,
    x: data.train.x.subarray(from * data.train.inputs, to * data.train.inputs),
    labels: data.train.labels.subarray(from, to),
    targets: data.train.targets?.subarray(from * data.classes, to * data.classes),
  });
  return { ...data, train: part(0, count - held), test: part(count - held, count) };
}

/** Samples that a density is measured on, at most. */
const MEASURED = 1000;

/**
 * How many values of a sample are not 0, and how many different ones these are, in the mean over
 * some samples from all over the set; both with the constant 1 that stands behind each.
 */
export function densityOf({ count, inputs, x }: Samples): { nonzeros: number; distinct: number } {
  const measured = Math.min(count, MEASURED), one = x instanceof Uint8Array ? 255 : 1;
  let nonzeros = 0, distinct = 0;
  for (let m = 0; m < measured; m++) {
    const row = Math.floor(m * count / measured) * inputs;
    const values = x.subarray(row, row + inputs).filter((value) => value !== 0);
    nonzeros += values.length + 1;
    distinct += new Set(values).add(one).size;
  }
  return { nonzeros: nonzeros / measured, distinct: distinct / measured };
}

/** Some rows of an array, by their indices. */
function selectRows<T extends Samples["x"] | Labels>(
  rows: T,
  width: number,
  indices: Uint32Array,
): T {
  const Numbers = rows.constructor as new (length: number) => T;
  const chosen = new Numbers(indices.length * width);
  indices.forEach((index, n) =>
    chosen.set(rows.subarray(index * width, (index + 1) * width), n * width)
  );
  return chosen;
}

/** Some of the samples, by their indices. */
export function selectSamples(
  { count, inputs, x, labels, targets }: Samples,
  indices: Uint32Array,
): Samples {
  return {
    count: indices.length,
    inputs,
    x: selectRows(x, inputs, indices),
    labels: selectRows(labels, 1, indices),
    targets: targets && selectRows(targets, targets.length / count, indices),
  };
}

/** What `scoreOf` counts, for people. */
export const scoreName = ({ targets }: Samples): string => targets ? "R²" : "accuracy";

/**
 * How well predictions do: the share of samples whose class is predicted; where they have targets, the
 * share of the targets' variance that is explained (the coefficient of determination, R²), which is
 * negative where their mean would do better.
 */
export function scoreOf(
  { count, labels, targets }: Samples,
  predictions: Uint16Array, // [count]
  losses: Float64Array, // [count], half the squared distances from targets
): number {
  if (!targets) return predictions.filter((label, n) => label === labels[n]).length / count;
  const outputs = targets.length / count, means = new Float64Array(outputs);
  targets.forEach((target, i) => means[i % outputs] += target / count);
  let spread = 0;
  targets.forEach((target, i) => spread += (target - means[i % outputs]) ** 2);
  const left = 2 * losses.reduce((sum, loss) => sum + loss, 0);
  return spread > 0 ? 1 - left / spread : left === 0 ? 1 : 0;
}
