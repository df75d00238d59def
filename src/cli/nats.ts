/** `train --nats`, `worker` and `nats-config`: several machines that make one gradient. */

import { openEngine } from "../backend.ts";
import type { DataSet } from "../data/samples.ts";
import type { EngineOptions, SlicedEngine } from "../engine.ts";
import { HOW_TO_SERVE, parseAddress } from "../nats/address.ts";
import { configure } from "../nats/config.ts";
import { SharedEngine } from "../nats/coordinator.ts";
import { checkName, type Run } from "../nats/messages.ts";
import { connectTo, NoServer, type Role } from "../nats/server.ts";
import { lend, type LendingEvent } from "../nats/worker.ts";
import type { Backend } from "../backend.ts";
import { loadDataSet } from "./datasets.ts";
import { EXIT } from "./errors.ts";
import { claim, why, writeWhole } from "./files.ts";
import { Interrupt } from "./interrupt.ts";
import type { Options } from "./options.ts";
import { print } from "./output.ts";

/** What `worker` is told. */
export interface WorkerOptions {
  nats?: string;
  token?: string;
  nkey?: string;
  name?: string;
  data: string;
  backend: Backend;
}

/** What `nats-config` is told. */
export interface ConfigOptions {
  out?: string;
  listen: string;
  port: number;
  cert?: string;
  key?: string;
  worker: string[];
}

/**
 * Connects to the server that the options name.
 * @throws {TypeError} where there is none, behind the lines that would make one.
 */
async function reach(
  { nats, token, nkey }: { nats?: string; token?: string; nkey?: string },
  role: Role,
) {
  if (nats === undefined) {
    console.error(HOW_TO_SERVE);
    throw new TypeError(`Cannot be a ${role} without a server: give --nats ADDRESS`);
  }
  const { url, token: own } = parseAddress(nats);
  const seed = nkey === undefined ? undefined : await readSeed(nkey);
  try {
    return await connectTo({
      url,
      role,
      token: token ?? own ?? Deno.env.get("NATS_TOKEN"),
      nkey: seed,
    });
  } catch (error) {
    if (error instanceof NoServer) console.error(HOW_TO_SERVE);
    throw error;
  }
}

async function readSeed(path: string): Promise<string> {
  let text: string;
  try {
    text = (await Deno.readTextFile(path)).trim();
  } catch (error) {
    throw new TypeError(`Cannot read ${path}: ${why(error)}; give a file with an nkey's seed`);
  }
  if (/^SU[A-Z2-7]{56}$/.test(text)) return text;
  throw new TypeError(`Cannot use ${path}: it holds no seed of a user's nkey; one begins with SU`);
}

/** What workers are told of the data that `--data` names. */
function describe({ data, seed, validation }: Options, { name }: DataSet) {
  const source = data === "digits" || /digits/.test(name)
    ? "digits"
    : data === "mnist" || data === "auto"
    ? "mnist"
    : "folder";
  return { source, seed, validation } as const;
}

/** Connects a run to its server, before anything that takes long. */
export async function openServer(
  options: Options,
  tell: (line: string) => void,
  signal: AbortSignal,
) {
  const connection = await reach(options, "coordinator");
  return {
    /** The run's engine, shared out. */
    async share(
      engine: SlicedEngine,
      engineOptions: EngineOptions,
      all: DataSet,
      parameters: Float64Array,
    ): Promise<SharedEngine> {
      const { own } = options, data = describe(options, all);
      const sharing = { connection, data, own, signal, tell };
      const shared = await SharedEngine.open(engine, engineOptions, all, parameters, sharing);
      shared.worth.forEach(tell);
      return shared;
    },
  };
}

/** Lends this machine until it is told to stop. */
export async function runWorker(options: WorkerOptions): Promise<number> {
  using interrupt = new Interrupt();
  const name = checkName(options.name ?? `w-${crypto.randomUUID().slice(0, 8)}`);
  const connection = await reach(options, "worker");
  console.log(`This machine is lent as ${name} over ${options.nats}; Ctrl-C takes it back.`);
  const load = async ({ data: { source, seed } }: Run): Promise<DataSet> => {
    const choice = options.data !== "auto"
      ? options.data
      : source === "digits"
      ? "digits"
      : "mnist";
    if (source === "folder" && options.data === "auto") {
      throw new TypeError(
        "Cannot take part in this run: its data are a folder's; give --data FOLDER",
      );
    }
    return await loadDataSet(choice, { seed, tell: (line) => console.log(line) });
  };
  const open = (engineOptions: EngineOptions) =>
    openEngine(engineOptions, options.backend, (line) => console.log(line));
  try {
    await lend({ connection, name, load, open, signal: interrupt.signal, tell: reporter() });
  } finally {
    await connection.close();
  }
  return interrupt.code || EXIT.done;
}

/** Milliseconds between two lines that say what was computed. */
const REPORTED = 10_000;

/** Says what a worker does, a line for each change and now and then one for its slices. */
function reporter(): (event: LendingEvent) => void {
  let slices = 0, values = 0, milliseconds = 0, at = performance.now();
  return (event) => {
    if (event.kind === "waiting") console.log("Waiting for a run.");
    if (event.kind === "loading") console.log(`Loading the data of run ${event.run.id}.`);
    if (event.kind === "ready") {
      console.log(`Ready for run ${event.run.id}, on ${event.adapter}.`);
    }
    if (event.kind !== "slice") return;
    slices++;
    values += event.values;
    milliseconds += event.milliseconds;
    if (performance.now() - at < REPORTED) return;
    console.log(
      `Step ${event.step + 1}: ${slices} slices of ${values} numbers in ${
        ((performance.now() - at) / 1000).toFixed(1)
      } s, ${(milliseconds / slices).toFixed(0)} ms each.`,
    );
    [slices, values, milliseconds, at] = [0, 0, 0, performance.now()];
  };
}

/** Writes a server's configuration, and tells the secrets. */
export async function runNatsConfig(options: ConfigOptions): Promise<number> {
  const { out, listen: host, port, cert, key, worker } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError("Cannot use half of a certificate: give --cert and --key, or neither");
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new TypeError(`Cannot listen on port ${port}: give a whole number from 1 to 65535`);
  }
  const workers = worker.map(checkName);
  const { text, secrets } = configure({ host, port, certificate: cert, key, workers });
  if (out === undefined) print(text);
  else {
    await claim(out);
    await writeWhole(out, new TextEncoder().encode(text));
    console.log(`Wrote ${out}. It holds secrets: let nobody else read it (chmod 600).`);
  }
  for (const { who, secret } of secrets) console.error(`${who}: ${secret}`);
  return EXIT.done;
}
