/**
 * Another library's backpropagation against our differences: the same network from the same weights
 * over the same batches, in one browser, in turn.
 *
 * Both sides take the same steps, queue them without waiting, and read back once a group. Ours is
 * the whole training loop, which reads each step's loss. The library is spared what it can be: its
 * users' quickest way is taken, batches are uploaded as they are drawn, and of a group only the last
 * loss is read.
 */

import type { Measurement } from "../../src/bench/measurement.ts";
import {
  batchesOf,
  checkEngine,
  checkLosses,
  createProblem,
  open,
  type Problem,
  referenceLosses,
} from "../../src/bench/problem.ts";
import { ourStep } from "../../src/bench/training.ts";
import { checkGradients, connect, parameterTensors } from "../../src/mod.ts";

/** A batch as libraries take it. */
export interface Batch {
  readonly x: Float32Array<ArrayBuffer>; // [batch, inputs]
  readonly targets: Float32Array<ArrayBuffer>; // one-hot, [batch, classes]
}

/** A network in training by another library. */
export interface Trainer {
  /** Puts the first weights in place. */
  reset(): void;
  /** Queues a step; the last loss is what `loss` reads. */
  step(batch: Batch): void;
  /** Reads back the loss of the last step, before its update, behind all that is queued. */
  loss(): Promise<number>;
  /** The gradient of the mean loss at the first weights, tensor by tensor: W1, b1, ... */
  gradient(batch: Batch): Promise<Float32Array[]>;
  close(): void;
}

/** Steps in a group. As in our training loop, the next is queued while the last one's loss is read. */
const GROUP = 10, STEPS = 50;
/** Their losses leave out the tutorial's 1e-7 inside the logarithm, and are float32. */
const TOLERANCE = 1e-4;

/** Draws the batches of a run, as both sides see them. */
function* drawn(problem: Problem): Generator<Batch, never> {
  const { network: { inputs, classes }, data: { train } } = problem;
  const scale = train.x instanceof Uint8Array ? 255 : 1;
  for (const indices of batchesOf(problem)) {
    const x = new Float32Array(indices.length * inputs);
    const targets = new Float32Array(indices.length * classes);
    indices.forEach((index, n) => {
      for (let i = 0; i < inputs; i++) x[n * inputs + i] = train.x[index * inputs + i] / scale;
      targets[n * classes + train.labels[index]] = 1;
    });
    yield { x, targets };
  }
  throw new Error("batches never end");
}

/**
 * Holds a library's own gradient against central differences. What comes of it is said, and fails
 * nothing: it is the library's.
 */
async function checkGradient(library: string, trainer: Trainer, problem: Problem): Promise<string> {
  const { parameters, network: { inputs, classes, nodes } } = problem;
  const network = connect({ inputs, classes, nodes }); // without the tutorial's 1e-7
  trainer.reset();
  const batch = drawn(problem).next().value, tensors = await trainer.gradient(batch);
  const gradients = Object.fromEntries(
    parameterTensors(network).map(({ name }, i) => [name, tensors[i]]),
  );
  const { x, targets } = batch;
  const report = await checkGradients({ network, parameters, inputs: x, targets, gradients });
  const worst = Math.max(...report.tensors.map(({ relativeError }) => relativeError));
  return `${library}'s gradient is ${report.ok ? "right" : "off"}, ` +
    `within ${worst.toExponential(1)} of central differences`;
}

/** The measurement of a library. */
export function against(
  name: string,
  library: string,
  most: number,
  openTrainer: (problem: Problem) => Promise<Trainer>,
): Measurement {
  return {
    name,
    what: `our differences against ${library}'s backpropagation of the same network, on WebGPU`,
    async prepare(setting) {
      const problem = createProblem(setting);
      const engine = await open(problem, "differences");
      const trainer = await openTrainer(problem);
      const [group, steps] = setting.smoke ? [1, 3] : [GROUP, STEPS];
      return {
        contenders: [
          ourStep(engine, problem, setting.smoke),
          {
            name: `a step by ${library}`,
            unit: "ms",
            async sample() {
              trainer.reset();
              await trainer.loss();
              const batches = drawn(problem);
              const started = performance.now();
              let reading: Promise<number> | undefined;
              for (let step = 1; step <= steps; step++) {
                trainer.step(batches.next().value);
                if (step % group !== 0 && step !== steps) continue;
                await reading;
                reading = trainer.loss();
              }
              await reading;
              return (performance.now() - started) / steps;
            },
            detail: () => `backpropagation; batches uploaded, one loss read each ${group} steps`,
          },
        ],
        ratios: [{ name: `differences over ${library}`, of: 0, to: 1, target: { most } }],
        async check() {
          const right = await checkEngine(engine, problem, { who: "differences" });
          const expected = await referenceLosses(problem);
          trainer.reset();
          const batches = drawn(problem);
          const losses: number[] = [];
          for (const _ of expected) {
            trainer.step(batches.next().value);
            losses.push(await trainer.loss());
          }
          const held = checkLosses(library, losses, expected, TOLERANCE);
          return `${right}; ${held}; ${await checkGradient(library, trainer, problem)}`;
        },
        close() {
          engine[Symbol.dispose]();
          trainer.close();
        },
      };
    },
  };
}
