/**
 * Parity: whatever this adapter computes against float64, kernel by kernel and gradient by gradient.
 * Nothing but the adapter is needed for it, so that it runs wherever there is one: on the command
 * line, in the page, under any implementation of WebGPU.
 */

import { createEstimator, type EstimatorName } from "../core/estimator.ts";
import { initialParameters } from "../core/initialization.ts";
import {
  type Activation,
  ACTIVATIONS,
  chainOf,
  connect,
  DATA,
  type Loss,
  type Network,
  type Node,
  parameterTensors,
  parseNodes,
  type Shape,
  shapeOf,
  sizeOfShape,
} from "../core/network.ts";
import { type OptimizerName, OPTIMIZERS } from "../core/optimizers.ts";
import { Xoshiro } from "../core/random.ts";
import { CpuEngine } from "../cpu/engine.ts";
import { type Samples, selectSamples } from "../data/samples.ts";
import type { EngineOptions, Method } from "../engine.ts";
import type { Command } from "../gpu/device.ts";
import { type Gpu, GpuEngine } from "../gpu/engine.ts";
import type { KernelName } from "../gpu/shaders.ts";
import { activationOf } from "../operations/registry.ts";
import { copiesErrorBound } from "./bounds.ts";
import { WrongNumbers } from "./errors.ts";
import { compareGradients } from "./gradcheck.ts";
import { isRight, type ParityRow, worseOf } from "./measured.ts";
import { Memory, UNIT } from "./twin.ts";
import { compareWithTwin, TWINS } from "./twins.ts";

export { isRight, type ParityRow };

/** A network at a place where gradients are compared. */
interface Trial {
  readonly inputs: number;
  /** Of the data, where they are maps. */
  readonly shape?: Shape;
  readonly nodes: readonly Node[];
  readonly classes: number;
  readonly batch: number;
  readonly loss: Loss;
  readonly method: Method;
  readonly estimator: EstimatorName;
  /** Nudges, small and large; the kernels are followed at the first. */
  readonly hs: readonly number[];
  readonly bytes?: boolean;
  readonly epsilon?: number;
  readonly sharing?: boolean;
}

/** The same of a chain, by its hidden layers. */
type ChainTrial = Omit<Trial, "nodes"> & {
  readonly hidden: readonly number[];
  readonly activation: Activation | readonly Activation[];
};
const chain = ({ hidden, activation, ...rest }: ChainTrial): Trial => ({
  ...rest,
  nodes: chainOf(hidden, activation),
});

/** The sizes: odd, so that no vector, workgroup, tile or block is full; one of everything; many classes. */
const SIZES = [
  { inputs: 33, hidden: [13], classes: 10, batch: 7, bytes: true },
  { inputs: 1, hidden: [1], classes: 2, batch: 1 },
  { inputs: 70, hidden: [9, 5], classes: 3, batch: 5 },
  { inputs: 6, hidden: [5, 4, 3], classes: 19, batch: 3 },
] as const;

/** Nudges of exact changes: what the tutorial takes, far less, and as much as a weight is. */
const NUDGES = [1e-2, 1e-6, 1];

/** Nudges that flip step units, whose arithmetic is exact: see `dyadic`. */
const FLIPS = [0.5, 0.25];

/** A nudge that float32 can see in a whole loss. */
const VISIBLE = [0.5];

/** A network whose copies are few, so that their bound says something; a tile's edge lies inside. */
const COPIED = { inputs: 20, hidden: [7], classes: 3, batch: 17 } as const;

/** Deep networks of these: smooth, straight, of few values. */
const DEEP: readonly Activation[] = ["gelu", "relu", "hard-sigmoid", "step", "sign"];

/** Networks for nudges so tiny that series are taken. */
const TINY_NUDGED = [
  [["sigmoid", "softplus", "tanh"], "five-point"],
  [["tanh", "tanh", "sigmoid"], "central"],
  [["sigmoid", "relu", "relu"], "central"],
] as const;

/** The front and the back of networks that join. */
const JOINED: readonly (readonly [Activation, Activation])[] = [
  ["tanh", "silu"],
  ["relu", "clip"],
  ["step", "sign"],
];

/** Ways to the gradient of those. */
const METHODS = [
  { method: "differences", estimator: "central" },
  { method: "differences", estimator: "central", sharing: false },
  { method: "differences", estimator: "spsa" },
  { method: "copies", estimator: "spsa" },
  { method: "backprop", estimator: "central" },
] as const;

/** What is copied whole. */
const COPIES = [
  ["sigmoid", "cross-entropy", "central"],
  ["relu", "squared-error", "central"],
  ["tanh", "cross-entropy", "spsa"],
] as const;

const central = { method: "differences", estimator: "central" } as const;
const lossOf = (i: number): Loss => i % 2 === 0 ? "cross-entropy" : "squared-error";

/** Two units in a row, and what goes around them: joined again behind, and at the end with the data. */
const around = (width: number, data: number, front: Activation, back: Activation): Node[] => [
  { operation: "dense", width },
  { operation: front },
  { operation: "dense", width },
  { operation: back },
  { operation: "add", from: [1, 3, 1] },
  { operation: back },
  { operation: "dense", width: data },
  { operation: "add", from: [DATA, 6] },
];

/** Whether units have but a few values, which float32 and float64 agree on where sums are exact. */
const hasStates = (activation: Activation) =>
  (activationOf(activation) as { states?: unknown }).states !== undefined;
const nudgesOf = (activation: Activation) => hasStates(activation) ? FLIPS : NUDGES;

/** Networks of maps: groups and strides, pools that overlap and of padded maps, of data and of values. */
const MAPS = [
  [[2, 9, 8], "conv 4x3 pad 1, relu, maxpool 2, conv 6x2 groups 2, sigmoid, avgpool 2"],
  [
    [3, 7, 6],
    "maxpool 2 stride 1, conv 9x2x3 groups 3 stride 2x1 dilation 2x1 pad 1, tanh, scale, " +
    "avgpool 3 stride 2 pad 1, maxpool 2, relu",
  ],
] as const;

/** Ways to the gradient that they go. */
const MAP_METHODS = [
  { method: "backprop", estimator: "central", hs: [1] },
  { method: "copies", estimator: "central", hs: VISIBLE },
  { method: "copies", estimator: "spsa", hs: VISIBLE },
  { method: "differences", estimator: "spsa", hs: NUDGES },
] as const;

/** A value of maps that is taken twice: by convolutions in a row, and joined behind them. */
const joinedMaps = (front: Activation, back: Activation): Node[] => [
  { operation: "conv", channels: 3, kernel: [3, 2], pad: "same" },
  { operation: front },
  { operation: "conv", channels: 3, kernel: [2, 3], pad: "same", groups: 3 },
  { operation: "add", from: [1, 2, 1] },
  { operation: back },
  { operation: "maxpool", kernel: [2, 2] },
  { operation: "conv", channels: 2, kernel: [2, 1] },
];

/**
 * Networks whose filters' weights are nudged one by one: straight, with pools that are taken in one
 * with their convolution and pools that are not; smooth; of few values; joined.
 */
const NUDGED: readonly (readonly [Shape, string | readonly Node[], EstimatorName, ...number[]])[] =
  [
    [
      [2, 8, 7],
      "conv 4x3 pad 1, relu, maxpool 2, conv 4x2 groups 2, leaky-relu, maxpool 2 stride 1 pad 1, " +
      "scale, avgpool 2",
      "central",
      ...[0.2, 1e-2, 1e-6],
    ],
    [
      [1, 7, 8],
      "conv 3x1, tanh, conv 2x3x2 stride 2x1 dilation 1x2 pad 1, clip, maxpool 2 stride 1, dense 4, " +
      "hard-sigmoid",
      "five-point",
      ...[0.3, 1e-2],
    ],
    [
      [2, 6, 6],
      "conv 3x2, sigmoid, maxpool 2 stride 1, conv 4x2 pad 1, tanh, avgpool 2 stride 1 pad 1",
      "forward",
      ...[1e-2, 1e-6],
    ],
    // Units that see nothing but 0.
    [[1, 6, 6], "conv 3x1, relu, maxpool 2", "central", 0.3, 1e-4],
    [[2, 6, 5], "conv 3x2, step, maxpool 2, conv 2x2, sign", "central", ...FLIPS],
    [[2, 5, 4], joinedMaps("relu", "leaky-relu"), "central", 0.3, 1e-4],
    // What the units of maps do is added up, pooled and not.
    [[2, 7, 6], "conv 6x3 pad 1, relu, maxpool 2, dense 5, clip", "central", 0.2, 1e-6],
    [[2, 6, 5], "conv 4x2 groups 2 stride 1x2, leaky-relu, dense 3, relu", "five-point", 1e-4],
  ];

/** A trial of maps. */
const onMaps = (
  shape: Shape,
  nodes: string | readonly Node[],
  rest: Pick<Trial, "loss" | "method" | "estimator" | "hs" | "sharing">,
): Trial => ({
  inputs: sizeOfShape(shape),
  shape,
  nodes: typeof nodes === "string" ? parseNodes(nodes) : nodes,
  classes: 3,
  batch: 3,
  ...rest,
});

const MAPPED: readonly Trial[] = [
  ...MAPS.flatMap(([shape, text], i) =>
    MAP_METHODS.map((method) => onMaps(shape, text, { loss: lossOf(i), ...method }))
  ),
  ...NUDGED.map(([shape, nodes, estimator, ...hs], i) =>
    onMaps(shape, nodes, { loss: lossOf(i), method: "differences", estimator, hs })
  ),
];

/** What is compared, every kernel and every method among it. */
const TRIALS: readonly Trial[] = [
  // Sums of step units are exact, so that both agree on who is wrong.
  chain({ ...SIZES[2], ...central, activation: "step", loss: "zero-one", hs: FLIPS }),
  ...ACTIVATIONS.flatMap((activation, i): Trial[] => {
    const hs = nudgesOf(activation);
    return [
      chain({ ...SIZES[0], ...central, activation, loss: lossOf(i), hs }),
      // With the other loss, where layers are behind; its forms do not depend on the activation's.
      chain({ ...SIZES[2], ...central, activation, loss: lossOf(i + 1), hs: hs.slice(0, 1) }),
      chain({
        ...SIZES[2],
        activation,
        loss: lossOf(i),
        method: "backprop",
        estimator: "central",
        hs: [1],
      }),
    ];
  }),
  ...SIZES.map((size, i): Trial =>
    chain({
      ...size,
      ...central,
      activation: (["sigmoid", "relu", "tanh"] as const)[i % 3],
      loss: lossOf(i),
      hs: NUDGES,
      epsilon: 0,
      estimator: i % 2 === 0 ? "five-point" : "forward",
    })
  ),
  // Nudges so tiny that series are taken: straight, and through narrow layers.
  ...TINY_NUDGED.map(([activation, estimator], i): Trial =>
    chain({
      inputs: 33,
      hidden: [9, 6, 5],
      classes: 3,
      batch: 5,
      bytes: true,
      activation,
      loss: lossOf(i),
      method: "differences",
      estimator,
      hs: [1e-6],
    })
  ),
  // More layers behind than are fused, and kinds of them in a row; every copy by itself.
  ...DEEP.flatMap((activation, i) =>
    (activation === "relu" || activation === "sign" ? [true, false] : [true]).map((sharing) =>
      chain({
        ...SIZES[3],
        ...central,
        activation,
        loss: lossOf(i + Number(sharing)),
        hs: nudgesOf(activation),
        sharing,
      })
    )
  ),
  chain({
    ...SIZES[3],
    ...central,
    hidden: [5, 4, 3],
    activation: ["step", "tanh", "relu"],
    loss: "cross-entropy",
    hs: FLIPS,
  }),
  // Branches that join, whose layers behind a nudge are all or some of them.
  ...JOINED.flatMap(([front, back], i): Trial[] =>
    METHODS.slice(0, i === 0 ? METHODS.length : 1).map((method): Trial => ({
      inputs: 6,
      nodes: around(5, 6, front, back),
      classes: 3,
      batch: 3,
      loss: lossOf(i),
      hs: method.method === "copies" ? VISIBLE : nudgesOf(back),
      ...method,
    }))
  ),
  chain({
    ...SIZES[2],
    activation: "tanh",
    loss: "cross-entropy",
    method: "differences",
    estimator: "spsa",
    hs: NUDGES,
  }),
  chain({
    ...SIZES[0],
    activation: "sigmoid",
    loss: "squared-error",
    method: "differences",
    estimator: "spsa",
    hs: NUDGES,
  }),
  ...COPIES.map(([activation, loss, estimator]): Trial =>
    chain({ ...COPIED, activation, loss, method: "copies", estimator, hs: VISIBLE })
  ),
  ...MAPPED,
];

/** What some elements are followed through: of joined layers, and whole copies. */
const CHOSEN: readonly Trial[] = [
  {
    inputs: 6,
    nodes: around(5, 6, ...JOINED[0]),
    classes: 3,
    batch: 3,
    loss: "cross-entropy",
    ...central,
    hs: NUDGES,
  },
  chain({
    ...COPIED,
    activation: "sigmoid",
    loss: "cross-entropy",
    method: "copies",
    estimator: "central",
    hs: VISIBLE,
  }),
  MAPPED[1],
  ...MAPPED.slice(MAPS.length * MAP_METHODS.length).slice(0, 2),
];

/** Numbers in 64ths: sums of their products are exact in float32, and so is every flip of a unit. */
const dyadic = (value: number) => Math.round(64 * value) / 64;

/** The activations that a network has, each once. */
function activationsOf({ layers }: Network): Activation[] {
  const all = new Set(layers.map(({ activation }) => activation));
  return [...all].filter((activation): activation is Activation => activation !== "identity");
}

/** The network of a trial, fresh weights of it, and samples. */
function placeOf(trial: Trial, optimizer: OptimizerName = "sgd") {
  const { inputs, shape, nodes, classes, batch, loss, method, estimator, epsilon, sharing } = trial;
  const network = connect({ inputs, inputShape: shape, nodes, classes, loss, epsilon });
  const random = new Xoshiro(11);
  const isExact = activationsOf(network).some(hasStates);
  const count = 2 * batch + 1;
  const value = () => random.uniform() < 0.3 ? 0 : random.uniform();
  const x = trial.bytes && !isExact
    ? Uint8Array.from({ length: count * inputs }, () => 255 * value())
    : Float32Array.from({ length: count * inputs }, () => isExact ? dyadic(value()) : value());
  const labels = Uint8Array.from({ length: count }, () => random.uniform() * classes);
  const samples: Samples = { count, inputs, x, labels };
  // Biases too: what is zero hides its errors.
  const parameters = initialParameters(network, "xavier", random)
    .map((weight) => weight === 0 ? 0.1 * random.normal() : weight)
    .map((weight) => isExact ? dyadic(weight) : Math.fround(weight));
  const indices = Uint32Array.from({ length: batch }, (_, n) => 2 * n);
  const optionsAt = (h: number): EngineOptions => ({
    network,
    method,
    sharing,
    estimator: createEstimator(estimator, h, 3),
    optimizer: { name: optimizer, weightDecay: 0.01 },
    samples,
    batch,
    seed: 5,
  });
  return { network, samples, parameters, indices, optionsAt };
}

/** Does something with an engine on a device that others go on with. */
export async function onDevice<T>(
  gpu: Gpu,
  options: EngineOptions,
  parameters: Float64Array,
  body: (engine: GpuEngine) => Promise<T>,
): Promise<T> {
  const { value: engine, release } = gpu.lease(() => new GpuEngine(gpu, options));
  try {
    await gpu.settle();
    engine.setParameters(parameters);
    return await body(engine);
  } finally {
    release();
  }
}

/** A kernel by its file, and what fills its roles. */
const kernelName = ({ kernel, source }: Command) =>
  [
    kernel,
    ...Object.entries(source!.fillings)
      .filter(([role, piece]) => typeof piece === "string" && role !== "unrolled")
      .map(([, piece]) => piece),
  ].join(", ");

/** Runs dispatches one by one, each compared with its twin where it has one. */
async function* followed(gpu: Gpu, commands: readonly Command[]): AsyncGenerator<ParityRow> {
  const buffers = [...new Set(commands.flatMap(({ source }) => Object.values(source!.buffers)))];
  const look = async () => {
    const contents = await gpu.readAll(buffers.map((buffer) => ({ buffer, bytes: buffer.size })));
    return new Map(buffers.map((buffer, i) => [buffer, contents[i]]));
  };
  const memoryOf = (command: Command, contents: Map<GPUBuffer, ArrayBuffer>) =>
    new Memory(
      new Map(
        Object.entries(command.source!.buffers).map(([name, buffer]) =>
          [name, contents.get(buffer)!] as const
        ),
      ),
    );
  let before = await look();
  for (const command of commands) {
    gpu.run([command]);
    const after = await look();
    const twin = TWINS[command.kernel as KernelName];
    if (twin) {
      const measured = compareWithTwin(
        twin,
        command.source!,
        memoryOf(command, before),
        memoryOf(command, after),
      );
      yield { name: kernelName(command), ...measured };
    }
    before = after;
  }
}

/**
 * How much of a gradient cancels between samples: the norm of the sums of the samples' magnitudes,
 * over that of the sums.
 */
async function cancellation(
  options: EngineOptions,
  parameters: Float64Array,
  indices: Uint32Array,
) {
  const { network, batch } = options;
  const magnitudes = new Float64Array(network.parameters);
  for (const index of indices) {
    const samples = selectSamples(options.samples, Uint32Array.of(index));
    using cpu = new CpuEngine({ ...options, samples, batch: 1 }, 1);
    cpu.setParameters(parameters);
    const { gradient } = await cpu.gradient(Uint32Array.of(0));
    gradient.forEach((value, i) => magnitudes[i] += Math.abs(value) / batch);
  }
  return magnitudes;
}

/** The whole gradient on the device and in float64. */
async function gradients(gpu: Gpu, trial: Trial, h: number) {
  const { network, parameters, indices, optionsAt } = placeOf(trial);
  const options = optionsAt(h);
  using cpu = new CpuEngine(options, 1);
  cpu.setParameters(parameters);
  const { gradient: expected } = await cpu.gradient(indices);
  const actual = await onDevice(
    gpu,
    options,
    parameters,
    async (engine) => (await engine.gradient(indices)).gradient,
  );
  const batch = { ...options, samples: selectSamples(options.samples, indices) };
  const floor = trial.method === "copies" ? copiesErrorBound(batch, parameters) : 0;
  return { network, options, parameters, indices, actual, expected, floor };
}

/**
 * Compares one gradient, tensor by tensor; the worst of them counts.
 *
 * Copies may err by what their bound says, over the largest element. The other ways add up terms
 * that are each right to about 64 units of rounding and as many again as their sums are long; how
 * much cancels between samples is read off float64.
 */
async function gradientRow(gpu: Gpu, trial: Trial, h: number): Promise<ParityRow> {
  const found = await gradients(gpu, trial, h);
  const { network, options, parameters, indices, actual, expected, floor } = found;
  const name = [
    `gradient by ${trial.method}`,
    shapeOf(network) + (network.layers.some(({ kind }) => kind === "sum") ? ", joined" : ""),
    ...activationsOf(network),
    trial.loss,
    ...(trial.sharing === false ? ["nothing shared"] : []),
    ...(trial.epsilon === 0 ? ["epsilon 0"] : []),
    ...(trial.method === "backprop" ? [] : [trial.estimator, `h = ${h}`]),
  ].join(", ");
  if (trial.method === "copies") {
    const largest = (values: Float64Array) =>
      values.reduce((max, value) => Math.abs(value) <= max ? max : Math.abs(value), 0);
    const scale = largest(expected);
    const worst = largest(actual.map((value, i) => value - expected[i])) / scale;
    return { name, worst, bound: floor / scale };
  }
  const magnitudes = await cancellation(options, parameters, indices);
  const longest = Math.max(...network.layers.map(({ inputs }) => inputs + 1));
  const units = 64 + longest + network.classes + trial.batch;
  const norm = (values: Float64Array) => Math.hypot(...values);
  const compared = compareGradients(network, actual, expected);
  return parameterTensors(network).map(({ offset, size }, t) => {
    const part = (values: Float64Array) => values.subarray(offset, offset + size);
    const ratio = norm(part(magnitudes)) / norm(part(expected));
    return { name, worst: compared[t].relativeError, bound: units * UNIT * (ratio || 1) };
  }).reduce(worseOf);
}

/** Follows every kernel through a trial: through all of the gradient, or some elements of it. */
async function* kernelRows(
  gpu: Gpu,
  trial: Trial,
  elements?: Uint32Array,
): AsyncGenerator<ParityRow> {
  const { parameters, indices, optionsAt } = placeOf(trial);
  const options = optionsAt(trial.hs[0]);
  const { value: engine, release } = gpu.lease(() => new GpuEngine(gpu, options));
  try {
    await gpu.settle();
    engine.setParameters(parameters);
    if (!elements) {
      yield* followed(gpu, engine.gradientCommands(indices));
      return;
    }
    const some = engine.elementCommands(indices, elements);
    try {
      await gpu.settle();
      yield* followed(gpu, some.commands);
    } finally {
      some.release();
    }
  } finally {
    release();
  }
}

/** The network that optimisers and evaluations are followed through. */
const UPDATED = chain({
  ...SIZES[0],
  activation: "tanh",
  loss: "cross-entropy",
  method: "backprop",
  estimator: "central",
  hs: [1],
});

/** Follows an optimiser's step, from a state as it may be in the middle of a run. */
async function* updateRows(gpu: Gpu, optimizer: OptimizerName): AsyncGenerator<ParityRow> {
  const { network, samples, parameters, indices, optionsAt } = placeOf(UPDATED, optimizer);
  const random = new Xoshiro(2);
  const { value: engine, release } = gpu.lease(() => new GpuEngine(gpu, optionsAt(1)));
  try {
    await gpu.settle();
    engine.setParameters(parameters, {
      first: Float64Array.from({ length: network.parameters }, () => 0.01 * random.normal()),
      second: Float64Array.from({ length: network.parameters }, () => 0.01 * random.uniform()),
      steps: 9,
    });
    yield* followed(gpu, engine.stepCommands(indices, Float64Array.of(0.1)));
    if (optimizer === "sgd") yield* followed(gpu, engine.evaluationCommands(samples));
  } finally {
    release();
    engine.forgetEvaluation();
  }
}

/**
 * Compares everything, a row at a time: the gradients as they are done, then every kernel with the
 * worst of all that it was seen to do.
 * @param gpu the device; it is left as it was found.
 */
export async function* parity(gpu: Gpu): AsyncGenerator<ParityRow> {
  const kernels = new Map<string, ParityRow>();
  const note = async (rows: AsyncGenerator<ParityRow>) => {
    for await (const row of rows) {
      const known = kernels.get(row.name);
      kernels.set(row.name, known ? worseOf(known, row) : row);
    }
  };
  for (const trial of TRIALS) {
    await note(kernelRows(gpu, trial));
    for (const h of trial.hs) yield await gradientRow(gpu, trial, h);
  }
  for (const trial of CHOSEN) {
    const { parameters } = placeOf(trial).network;
    const elements = Uint32Array.from(
      { length: 9 },
      (_, i) => Math.floor(parameters * (i + 1) / 9) - 1,
    );
    await note(kernelRows(gpu, trial, elements));
  }
  for (const optimizer of OPTIMIZERS) await note(updateRows(gpu, optimizer));
  yield* [...kernels.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

/** The most that a tensor of the canary's gradient may be off. */
const CANARY_TOLERANCE = 1e-5;

/**
 * Compares gradients of a tiny network with float64, at a large and a small nudge: two hidden
 * layers or more, of the activations and the loss that are going to be used, joined where layers are,
 * and of maps where there are any.
 * @throws {WrongNumbers} naming the tensor that is off, and the kernel that made it so.
 */
export async function checkCanary(
  gpu: Gpu,
  { network, method, estimator, sharing }: EngineOptions,
) {
  const used = activationsOf(network);
  const isJoined = network.layers.some(({ kind }) => kind === "sum");
  const isMapped = network.layers.some(({ window }) => window !== undefined);
  for (const activation of used.length > 0 ? used : ["sigmoid" as const]) {
    const place = isMapped
      ? { inputs: 50, shape: [2, 5, 5], nodes: mapped(activation) } as const
      : isJoined
      ? { inputs: 5, nodes: around(4, 5, activation, activation) }
      : { inputs: 5, nodes: chainOf([4, 3], activation) };
    const trial: Trial = {
      ...place,
      classes: 3,
      batch: 3,
      loss: network.loss,
      epsilon: network.epsilon,
      method,
      sharing,
      estimator: estimator.name,
      hs: method === "copies" ? VISIBLE : hasStates(activation) ? FLIPS : [1e-2, 1e-6],
    };
    for (const h of trial.hs) {
      const off = await firstOff(gpu, trial, h);
      if (off) throw new WrongNumbers(gpu.adapter, off);
    }
  }
}

/** Convolutions and pools of 2x5x5, all whose sums are exact where its weights' are. */
const mapped = (activation: Activation) =>
  parseNodes(`conv 3x2, ${activation}, maxpool 2, scale, ${activation}, avgpool 2`);

/** What is off in a trial's gradient: the tensor, and the kernel where that is known. */
async function firstOff(gpu: Gpu, trial: Trial, h: number): Promise<string | undefined> {
  const { network, indices, actual, expected, floor } = await gradients(gpu, trial, h);
  const tensor = compareGradients(network, actual, expected).find((tensor) =>
    !(tensor.relativeError <= CANARY_TOLERANCE || tensor.maxAbsDifference <= floor)
  );
  if (!tensor) return undefined;
  let kernel = "";
  for await (const row of kernelRows(gpu, { ...trial, hs: [h] })) {
    if (isRight(row)) continue;
    kernel = `, and so is the kernel ${row.name}, by ${row.worst.toExponential(1)}`;
    break;
  }
  return `${tensor.name} of a ${shapeOf(network)} network's gradient is off by ` +
    `${tensor.relativeError.toExponential(1)} from float64 at h = ${h} (${indices.length} ` +
    `samples, ${activationsOf(network).join(", ")}, ${trial.loss})${kernel}`;
}
