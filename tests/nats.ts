/** A real NATS server on this machine, and what a shared run needs in a test. */

import assert from "node:assert/strict";
import { CpuEngine } from "../src/cpu/engine.ts";
import { initialParameters } from "../src/core/initialization.ts";
import { connect, parseNodes } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { drawDigits } from "../src/data/digits.ts";
import type { DataSet } from "../src/data/samples.ts";
import type { Engine, EngineOptions, SlicedEngine } from "../src/engine.ts";
import { train } from "../src/method/training.ts";
import { SharedEngine } from "../src/nats/coordinator.ts";
import { connectTo, type NatsConnection } from "../src/nats/server.ts";
import { lend } from "../src/nats/worker.ts";
import { engineOptions } from "./support.ts";

/** Whether there is a server to be started; a loud skip where there is none. */
export function hasNats(): boolean {
  try {
    return new Deno.Command("nats-server", { args: ["--version"], stdout: "null" }).outputSync()
      .success;
  } catch {
    console.log("SKIPPED: there is no nats-server; install Debian's package of that name");
    return false;
  }
}

/** A port that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

export const TOKEN = "a-token-for-tests";

/** A server, which can be killed and started again. */
export class Server implements AsyncDisposable {
  readonly url: string;
  #process: Deno.ChildProcess | undefined;

  private constructor(readonly folder: string, readonly port: number, readonly config: string) {
    this.url = `ws://127.0.0.1:${port}`;
  }

  /** Starts one: with a token, or with another configuration, of a websocket port. */
  static async start(
    write: (port: number) => string = (port) =>
      `websocket { listen: "127.0.0.1:${port}", no_tls: true }
       authorization { token: "${TOKEN}" }
       max_payload: 8MB`,
  ): Promise<Server> {
    const folder = await Deno.makeTempDir(), port = freePort();
    const text = write(port).replace(/^(listen|jetstream).*$/gm, "");
    const config = `${folder}/nats.conf`;
    await Deno.writeTextFile(
      config,
      `listen: "127.0.0.1:${freePort()}"\njetstream { store_dir: "${folder}/data" }\n${text}`,
    );
    const server = new Server(folder, port, config);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    this.#process = new Deno.Command("nats-server", {
      args: ["-c", this.config, "-l", `${this.folder}/log`],
    }).spawn();
    for (let wait = 0; wait < 200; wait++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    throw new Error(`nats-server does not start: ${await Deno.readTextFile(`${this.folder}/log`)}`);
  }

  /** Ends it at once, with all that it holds in memory. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.status;
    this.#process = undefined;
  }

  connect(role: "coordinator" | "worker", token = TOKEN): Promise<NatsConnection> {
    return connectTo({ url: this.url, role, token });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A run that is short, with pieces of every kind of layer. */
export interface Trial {
  readonly data: DataSet;
  readonly options: EngineOptions;
  readonly start: Float64Array;
  readonly steps: number;
}

const SEED = 1;

export function trial(
  { steps = 12, estimator = "central" as "central" | "spsa", network = "dense 12, relu" } = {},
): Trial {
  const data = drawDigits({ seed: SEED, train: 60, test: 20 });
  const { inputs, classes, image } = data;
  const nodes = parseNodes(network);
  const made = connect({ inputs, inputShape: image, classes, nodes });
  const options = engineOptions(made, data.train, 10, { estimator, optimizer: "adam", h: 1e-3 });
  return { data, options, steps, start: initialParameters(made, "he", new Xoshiro(SEED)) };
}

/** Trains, and gives the weights. */
async function runOf(engine: Engine, { data, options, start, steps }: Trial) {
  engine.setParameters(start);
  const run = { steps, batch: options.batch, learningRate: 0.01, evalEvery: steps };
  const losses: number[] = [];
  for await (const event of train(engine, data, new Xoshiro(2), { ...run, schedule: "constant" })) {
    if (event.kind === "steps") losses.push(...event.losses);
  }
  return { weights: await engine.parameters(), losses };
}

/** The same by one machine alone. */
export async function alone(trial: Trial) {
  using engine = new CpuEngine(trial.options, 1);
  return await runOf(engine, trial);
}

/** A worker in this program: what it is given it computes with this engine. */
export interface Helper {
  readonly name: string;
  /** What it makes of the engine that it should use. */
  readonly engine?: (engine: SlicedEngine) => SlicedEngine;
  /** What it makes of the connection. */
  readonly connection?: (connection: NatsConnection) => NatsConnection;
  /** The data that it has, where they are others. */
  readonly data?: DataSet;
}

/** Runs a trial with workers in this program. */
export async function shared(
  server: Server,
  trial: Trial,
  helpers: readonly Helper[],
  own = false,
) {
  const lines: string[] = [], end = new AbortController(), counts = new Map<string, number>();
  const engine = new CpuEngine({ ...trial.options, sliced: true }, 1);
  using coordinator = await SharedEngine.open(engine, trial.options, trial.data, trial.start, {
    connection: await server.connect("coordinator"),
    data: { source: "digits", seed: SEED },
    own,
    tell: (line) => {
      lines.push(line);
      if (Deno.env.get("DEBUG")) console.log(line);
    },
  });
  const lent = helpers.map(async ({ name, engine, connection, data }) => {
    const plain = await server.connect("worker");
    try {
      await lend({
        connection: connection?.(plain) ?? plain,
        name,
        load: () => Promise.resolve(data ?? trial.data),
        open: (options) => {
          const own = new CpuEngine(options, 1);
          return Promise.resolve(engine?.(own) ?? own);
        },
        signal: end.signal,
        tell: ({ kind }) => {
          if (kind === "slice") counts.set(name, (counts.get(name) ?? 0) + 1);
        },
      });
    } catch (error) {
      lines.push(`${name}: ${(error as Error).message}`);
    } finally {
      await plain.close();
    }
  });
  try {
    const { weights, losses } = await runOf(coordinator, trial);
    return { weights, losses, lines, counts };
  } finally {
    end.abort();
    await Promise.all(lent);
  }
}

/** Fails with the largest difference and where it is, unless all bits are the same. */
export function assertSameRun(
  actual: { weights: Float64Array; losses: number[] },
  expected: { weights: Float64Array; losses: number[] },
): void {
  assert.deepEqual(actual.losses, expected.losses);
  const distance = (i: number) => Math.abs(actual.weights[i] - expected.weights[i]);
  const off = [...expected.weights.keys()].filter((i) => distance(i) !== 0);
  const worst = off.reduce((a, b) => distance(b) > distance(a) ? b : a, off[0]);
  assert.equal(off.length, 0, `largest difference ${distance(worst)} at ${worst}`);
}
