/** The benchmark's page: the measurements that know WebGPU alone, and other libraries beside ours. */

import { measure, type Outcome, type Setting } from "../../src/bench/measurement.ts";
import { MEASUREMENTS } from "../../src/bench/measurements.ts";
import { openGpu } from "../../src/bench/problem.ts";
import type { DataSet, Samples } from "../../src/mod.ts";
import { jax } from "./jax.ts";
import { against } from "./library.ts";
import { tensorflow } from "./tensorflow.ts";

const [step, backprop, ...others] = MEASUREMENTS;
const measurements = [
  step,
  backprop,
  against("jax", "jax-js 0.1.25", 1, jax),
  against("tensorflow", "TensorFlow.js 4.22.0", 0.25, tensorflow),
  ...others,
];

/** Fetches samples; `about` tells what belongs to their bytes. */
async function samples(
  part: "train" | "test",
  { floats, ...about }: Samples & { floats: boolean },
): Promise<Samples> {
  const bytes = async (name: string) => await (await fetch(`${part}-${name}`)).arrayBuffer();
  const [x, labels] = [await bytes("x"), await bytes("labels")];
  const Numbers = floats ? Float32Array : Uint8Array;
  return { ...about, x: new Numbers(x), labels: new Uint16Array(labels) };
}

/** What can be asked of the page. */
export interface Calls {
  /** Fetches the data; tells what there is. */
  open(smoke: boolean): Promise<{ adapter: string; browser: string; names: string[] }>;
  measure(name: string, runs: number): Promise<Outcome>;
}

let setting: Setting;

/** What the command line asks for; see src/cli/bench_browser.ts. */
const answers: Calls = {
  async open(smoke) {
    const data = await (await fetch("data.json")).json();
    for (const part of ["train", "test"] as const) data[part] = await samples(part, data[part]);
    setting = { data: data as DataSet, smoke };
    using gpu = await openGpu();
    return {
      adapter: gpu.adapter,
      browser: navigator.userAgent.match(/Chrome\/([\d.]+)/)?.[1] ?? "",
      names: measurements.map(({ name }) => name),
    };
  },
  measure: (name, runs) => measure(measurements.find((one) => one.name === name)!, setting, runs),
};

const socket = new WebSocket("calls");
socket.onmessage = async ({ data }) => {
  const [name, ...args] = JSON.parse(data) as [keyof Calls, ...never[]];
  const answer = await (answers[name] as (...args: never[]) => Promise<unknown>)(...args)
    .then((result) => ({ result }), (error) => ({ error: `${error}` }));
  socket.send(JSON.stringify(answer));
};
