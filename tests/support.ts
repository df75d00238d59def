/** What tests share: the GPU, random networks, measured distances. */

import assert from "node:assert/strict";
import { DATA_NAMES, spellings } from "../src/cli/places.ts";
import { createEstimator, type EstimatorName } from "../src/core/estimator.ts";
import { initialParameters } from "../src/core/initialization.ts";
import {
  type Activation,
  ACTIVATIONS,
  connect,
  DATA as INPUTS,
  type Loss,
  type Network,
  type Node,
} from "../src/core/network.ts";
import type { OptimizerName } from "../src/core/optimizers.ts";
import { Xoshiro } from "../src/core/random.ts";
import { CpuEngine } from "../src/cpu/engine.ts";
import { drawDigits } from "../src/data/digits.ts";
import { writeIdx } from "../src/data/idx.ts";
import type { Samples } from "../src/data/samples.ts";
import type { EngineOptions, Method } from "../src/engine.ts";
import { Gpu } from "../src/gpu/device.ts";
import { compareGradients } from "../src/method/gradcheck.ts";
import { onDevice } from "../src/method/parity.ts";

// The windowing library behind some Vulkan drivers complains where this is not set.
if (!Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", "/tmp");

export const ROOT = `${import.meta.dirname}/..`;
/** A folder that may stand beside the checkout, with MNIST and the tutorial's weights. */
const SHARED = `${ROOT}/../shared/data`;
export const MNIST = Deno.env.get("MNIST_DIR") ?? `${SHARED}/mnist`;
export const TUTORIAL_WEIGHTS = `${SHARED}/seed/weights_600.h5`;

const isFile = (path: string) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
};

/** Whether MNIST is at hand; a loud skip where it is not. */
export function hasMnist(): boolean {
  if (spellings(MNIST, DATA_NAMES.testImages).some(isFile)) return true;
  console.log(`SKIPPED: no MNIST in ${MNIST}; set MNIST_DIR to run this test`);
  return false;
}

/** Whether the tutorial's weights are at hand; a loud skip where they are not. */
export function hasTutorialWeights(): boolean {
  if (isFile(TUTORIAL_WEIGHTS)) return true;
  console.log(`SKIPPED: no ${TUTORIAL_WEIGHTS}, the tutorial's weights`);
  return false;
}

/** Writes a data set of digits as the four IDX files of a folder. */
export async function writeDigits(folder: string, seed = 1): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const { train, test } = drawDigits({ seed, train: 30, test: 10 });
  for (const [name, { count, x, labels }] of [["train", train], ["t10k", test]] as const) {
    const images = { shape: [count, 28, 28], data: x as Uint8Array };
    const classes = { shape: [count], data: Uint8Array.from(labels) };
    await Deno.writeFile(`${folder}/${name}-images-idx3-ubyte`, writeIdx(images));
    await Deno.writeFile(`${folder}/${name}-labels-idx1-ubyte`, writeIdx(classes));
  }
}

/** Registers a test that needs an adapter: without one it fails in CI, and is skipped loudly elsewhere. */
export function gpuTest(
  name: string,
  body: (open: (scratchBytes?: number) => Promise<Gpu>) => Promise<void>,
): void {
  Deno.test(`GPU: ${name}`, async () => {
    const probe = await Gpu.open();
    if (!probe) {
      assert.notEqual(Deno.env.get("GPU"), "required", "no WebGPU adapter was found");
      console.log(`SKIPPED: no WebGPU adapter was found for "${name}"`);
      return;
    }
    console.log(`adapter: ${probe.adapter}`);
    probe[Symbol.dispose]();
    await body(async (scratchBytes) => (await Gpu.open({ scratchBytes }))!);
  });
}

/** Random samples: floats with a share of zeros, or bytes. */
export function randomSamples(
  count: number,
  { inputs, classes }: Network,
  bytes = false,
  seed = 7,
): Samples {
  const random = new Xoshiro(seed);
  const value = () => random.uniform() < 0.4 ? 0 : random.uniform();
  const x = bytes
    ? Uint8Array.from({ length: count * inputs }, () => 255 * value())
    : Float32Array.from({ length: count * inputs }, value);
  const labels = Uint16Array.from({ length: count }, () => random.uniform() * classes);
  return { count, inputs, x, labels };
}

/**
 * A random network of up to `size` operations, with branches that join, of widths up to 5: data or
 * a value may be taken more than once, and a sum may add a value to itself.
 */
export function randomNetwork(
  seed: number,
  { inputs = 4, classes = 3, size = 6, activations = ACTIVATIONS, ...options }: {
    inputs?: number;
    classes?: number;
    size?: number;
    activations?: readonly Activation[];
    loss?: Loss;
    epsilon?: number;
  } = {},
): Network {
  const random = new Xoshiro(seed);
  const below = (count: number) => Math.floor(random.uniform() * count);
  const nodes: Node[] = [], widths = [inputs]; // of the data, then of each node
  const unused = new Set<number>();
  const push = (node: Node, width: number) => {
    node.from!.forEach((source) => unused.delete(source));
    widths.push(width);
    unused.add(nodes.push(node) - 1);
  };
  const operations = below(size + 1);
  for (let i = 0; i < operations; i++) {
    const from = below(widths.length) + INPUTS, width = widths[from + 1], kind = random.uniform();
    if (kind < 0.4) {
      const width = 1 + below(5);
      push({ operation: "dense", width, from: [from] }, width);
    } else if (kind < 0.7) {
      push({ operation: activations[below(activations.length)], from: [from] }, width);
    } else {
      const fitting = widths.flatMap((other, at) => other === width ? [at + INPUTS] : []);
      const other = fitting[below(fitting.length)];
      push({ operation: "add", from: [from, other] }, width);
    }
  }
  while (unused.size > 1) { // what nothing takes joins the last
    const [first] = unused, last = nodes.length - 1, width = widths.at(-1)!;
    push({ operation: "dense", width, from: [first] }, width);
    push({ operation: "add", from: [nodes.length - 1, last] }, width);
  }
  return connect({ inputs, classes, nodes, ...options });
}

/**
 * A random network of maps: 1 to 3 convolutions of any kernel, stride, padding, dilation and groups,
 * with pools, scales, activations and residual joins between them, and a dense layer now and then.
 */
export function randomMaps(
  seed: number,
  { activations = ACTIVATIONS, classes = 3, ...options }: {
    activations?: readonly Activation[];
    classes?: number;
    loss?: Loss;
    epsilon?: number;
  } = {},
): Network {
  const random = new Xoshiro(seed);
  const below = (count: number) => Math.floor(random.uniform() * count);
  const pair = (least: number, most: number) =>
    [least + below(most + 1 - least), least + below(most + 1 - least)] as const;
  const start = [1 + below(3), 3 + below(4), 3 + below(4)] as const;
  const inputs = start[0] * start[1] * start[2];
  const nodes: Node[] = [];
  const build = () => connect({ inputs, inputShape: start, classes, nodes, ...options });
  /** Adds operations where they fit; where one leaves no room, none of them. */
  const push = (...more: Node[]) => {
    nodes.push(...more);
    try {
      build();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      nodes.splice(-more.length);
    }
  };
  let channels: number = start[0];
  const convolve = () => {
    const isDeep = random.uniform() < 0.3; // depthwise, one or two filters a channel
    const groups = isDeep ? channels : channels % 2 === 0 && random.uniform() < 0.5 ? 2 : 1;
    const given = groups * (1 + below(groups > 2 ? 1 : 2)), kernel = pair(1, 3);
    const pad = [0, 1, 2, 3].map((side) => below(kernel[side % 2])) as [
      number,
      number,
      number,
      number,
    ];
    const before = nodes.length;
    push({
      operation: "conv",
      channels: given,
      kernel,
      stride: pair(1, 2),
      dilation: random.uniform() < 0.3 ? pair(1, 2) : [1, 1],
      groups,
      pad: random.uniform() < 0.3 ? "same" : pad,
    });
    if (nodes.length > before) channels = given;
  };
  const convolutions = 1 + below(3);
  for (let i = 0; i < convolutions; i++) {
    convolve();
    for (let more = below(4); more > 0; more--) {
      const kind = random.uniform(), from = nodes.length - 1;
      if (kind < 0.4) push({ operation: activations[below(activations.length)] });
      else if (kind < 0.5) push({ operation: "scale" });
      else if (kind < 0.8) {
        const kernel = pair(1, 3), pad = [below(kernel[0]), below(kernel[1])];
        push({
          operation: kind < 0.65 ? "maxpool" : "avgpool",
          kernel,
          stride: random.uniform() < 0.5 ? pair(1, 2) : undefined,
          pad: random.uniform() < 0.5 ? [pad[0], pad[1], below(pad[0] + 1), pad[1]] : undefined,
        });
      } else {
        push(
          { operation: "conv", channels, kernel: pair(1, 3), pad: "same", groups: 1 },
          { operation: "add", from: [from + 1, from] },
        );
      }
    }
  }
  if (random.uniform() < 0.2) push({ operation: "globalavgpool" });
  if (random.uniform() < 0.5) {
    push({ operation: "dense", width: 1 + below(4) });
    push({ operation: activations[below(activations.length)] });
  }
  return build();
}

/** Engine options for a test. */
export function engineOptions(
  network: Network,
  samples: Samples,
  batch: number,
  {
    method = "differences",
    estimator = "central",
    h = 1e-2,
    optimizer = "sgd",
    weightDecay = 0,
    sharing,
  }: {
    method?: Method;
    estimator?: EstimatorName;
    h?: number;
    optimizer?: OptimizerName;
    weightDecay?: number;
    sharing?: boolean;
  } = {},
): EngineOptions {
  return {
    network,
    sharing,
    method,
    estimator: createEstimator(estimator, h, 3),
    optimizer: { name: optimizer, weightDecay },
    samples,
    batch,
    seed: 1,
  };
}

/** Fresh parameters large enough that every unit matters. */
export function freshParameters(network: Network, init: number | "xavier" = "xavier", seed = 3) {
  const parameters = initialParameters(network, init, new Xoshiro(seed));
  const random = new Xoshiro(seed + 1);
  return parameters.map((value) => value === 0 ? Math.fround(0.1 * random.normal()) : value);
}

/** The numbers of the first samples. */
export const all = (count: number) => Uint32Array.from({ length: count }, (_, n) => n);

/** The gradient of some samples, by default the first, on a device that others go on with. */
export const gradientOn = (
  gpu: Gpu,
  options: EngineOptions,
  parameters: Float64Array,
  rows = all(options.batch),
) => onDevice(gpu, options, parameters, async (engine) => (await engine.gradient(rows)).gradient);

/** The gradient of the first samples in float64. */
export async function gradientOnCpu(
  options: EngineOptions,
  parameters: Float64Array,
  elements?: Uint32Array,
  threads = 1,
): Promise<Float64Array> {
  using engine = new CpuEngine(options, threads);
  engine.setParameters(parameters);
  return (await engine.gradient(all(options.batch), elements)).gradient;
}

/** Activations with a second derivative everywhere, which a central difference needs to be near. */
export const TWICE_SMOOTH: readonly Activation[] = [
  ...["sigmoid", "tanh", "softplus", "silu", "gelu", "gelu exact"] as const,
];

/**
 * Random directions as exact changes against whole losses, and exact differences against
 * backpropagation, in float64, for a network of such activations.
 */
export async function assertOtherWays(
  options: EngineOptions,
  parameters: Float64Array,
): Promise<void> {
  const { network } = options, estimator = { name: "spsa", h: 1e-2, queries: 3 } as const;
  const [exact, literal] = await Promise.all(
    (["differences", "copies"] as const).map((method) =>
      gradientOnCpu({ ...options, method, estimator }, parameters)
    ),
  );
  assertGradient(network, exact, literal, 1e-9, 1e-9);
  // What a central difference leaves out is h^2 / 6 of a third derivative: nothing at 1e-7.
  const tiny = { ...options, estimator: { name: "central", h: 1e-7, queries: 0 } as const };
  const [numerical, chain] = await Promise.all(
    (["differences", "backprop"] as const).map((method) =>
      gradientOnCpu({ ...tiny, method }, parameters)
    ),
  );
  assertGradient(network, numerical, chain, 1e-11, 1e-12);
}

/** Each sample's change is right to a few roundings of 6e-8; what nearly cancels leaves the floor. */
export const RELATIVE = 5e-6, FLOOR = 2e-7;

/**
 * Numbers in quarters: with so few digits sums of products are exact in float32 through several
 * layers, so that it sees every kink and every flip where float64 does, ties too.
 */
const inQuarters = (value: number) => Math.round(4 * value) / 4;
export const quarters = (values: Float64Array) => values.map(inQuarters);
export function quarterSamples(count: number, network: Network, seed?: number): Samples {
  const samples = randomSamples(count, network, false, seed);
  return { ...samples, x: Float32Array.from(samples.x, inQuarters) };
}

/** Fails with the tensor, the largest difference and its place when gradients are too far apart. */
export function assertGradient(
  network: Network,
  actual: Float64Array,
  reference: Float64Array,
  tolerance: number,
  floor = 0,
): void {
  for (const c of compareGradients(network, actual, reference)) {
    if (c.maxAbsDifference <= floor) continue;
    assert.ok(
      c.relativeError <= tolerance,
      `${c.name} [${c.shape}]: relative error ${c.relativeError}, largest difference ` +
        `${c.maxAbsDifference} at [${c.at}]`,
    );
  }
}

/** Fails with the largest relative difference and its place. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative: number,
  absolute = 0,
): void {
  assert.equal(actual.length, expected.length);
  let worst = -1, excess = 1;
  for (let i = 0; i < expected.length; i++) {
    const allowed = relative * Math.abs(expected[i]) + absolute;
    const distance = Math.abs(actual[i] - expected[i]);
    if (!(distance <= allowed * excess)) {
      worst = i;
      excess = distance / allowed;
    }
  }
  assert.ok(
    worst < 0,
    `largest difference at ${worst}: ${actual[worst]} instead of ${expected[worst]}`,
  );
}

/** What a task runs, as `deno task` would: arguments for Deno. (`deno task` prints what it runs.) */
export async function taskArguments(name: string): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  return (tasks[name] as string).split(" ").slice(1);
}

/** Begins the command line as a user does who stands in some folder, with its task's permissions. */
export async function beginIn(
  folder: string,
  ...[command, ...args]: string[]
): Promise<Deno.ChildProcess> {
  return new Deno.Command(Deno.execPath(), {
    args: [...await taskArguments(command), ...args],
    cwd: ROOT,
    env: { INIT_CWD: folder, NO_COLOR: "1", XDG_CACHE_HOME: "/nonexistent" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Begins the command line as a user does who stands in the checkout. */
export const begin = (...args: string[]) => beginIn(ROOT, ...args);

/** How a command ended, and what it said. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits for the end of a command. */
export async function ended(child: Deno.ChildProcess): Promise<Ended> {
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/** Runs the command line to its end. */
export const cli = async (...args: string[]) => await ended(await begin(...args));

/** Starts the page's server, with the permissions of its task, on a free port. */
export async function startServer(): Promise<{ url: string; server: Deno.ChildProcess }> {
  const server = new Deno.Command(Deno.execPath(), {
    args: [...await taskArguments("web"), "--port", "0"],
    cwd: ROOT,
    stdout: "piped",
  }).spawn();
  const reader = server.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return { url: /http:\/\/localhost:\d+\//.exec(new TextDecoder().decode(value))![0], server };
}

/** Does something where a variable of the environment has some value. */
export async function withVariable(name: string, value: string, body: () => Promise<void>) {
  const before = Deno.env.get(name);
  Deno.env.set(name, value);
  try {
    await body();
  } finally {
    if (before === undefined) Deno.env.delete(name);
    else Deno.env.set(name, before);
  }
}

/**
 * Runs with a folder that goes away behind it. Where the body fails, that is what is thrown: a run
 * that it left may still be writing there.
 */
export async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } catch (error) {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    throw error;
  }
  await Deno.remove(folder, { recursive: true });
}

/** Losses without jumps, where no rounding decides on one. */
export const SMOOTH_LOSSES = ["cross-entropy", "squared-error"] as const satisfies readonly Loss[];
