/** Which commands there are and what each takes; `main.ts` says what each does. */

import { Command } from "commander";
import deno from "../../deno.json" with { type: "json" };
import { number, PlaceOption, withOptions } from "./options.ts";
import { print, tell } from "./output.ts";
import {
  LOCALHOST,
  type Places,
  toBrowse,
  toBuild,
  toData,
  toListen,
  toMeasure,
  toPack,
  toRead,
  toServe,
  toWrite,
} from "./places.ts";

const NETWORK = ["network", "inputShape", "activation", "loss", "epsilon"] as const;
const DIFFERENCE = [
  "estimator",
  "queries",
  "kernel",
  "points",
  "h",
  "engine",
  "backend",
  "seed",
] as const;
const SURROGATE = ["surrogate", "surrogateWidth"] as const;
const UPDATE = ["lr", "optimizer", "weightDecay", "schedule"] as const;

/** Relative errors up to here pass, by default, for an engine that computes in float32. */
const DEFAULT_TOLERANCE = 1e-6;

const gather = (value: string, before: string[]) => [...before, value];

/** What commands touch besides what their options name, by their arguments without a name. */
export const TOUCHED: Record<string, (args: readonly string[]) => Places[]> = {
  plot: (logs) => logs.map(toRead),
  bench: () => [toMeasure()],
  contest: () => [toData("mnist")],
  web: () => [toServe()],
  build: () => [toBuild()],
  pack: () => [toPack()],
};

/** Every command, and the program that they belong to. */
export function createCommands() {
  const program = new Command("deno task")
    .description("Trains neural networks by numerical gradients, on WebGPU.")
    .exitOverride()
    .configureOutput({
      writeOut: print,
      writeErr: tell,
      // One line: the error and, behind it, the suggestion.
      outputError: (text, write) => write(text.trim().replace(/\s*\n\s*/g, " ") + "\n"),
    });

  const train = withOptions(
    program.command("train").description("train a network and test it"),
    ...["data", "hidden", ...NETWORK, "init", "steps", "batch", ...UPDATE, ...DIFFERENCE] as const,
    ...SURROGATE,
    "validation",
    ...["rng", "evalEvery", "model", "save", "saveEvery", "resume", "override", "layout"] as const,
    ...["log", "plot", "plan", "profile", "nats", "token", "nkey", "own", "json"] as const,
  );

  const worker = withOptions(
    program.command("worker").description("lend this machine to a run of train --nats"),
    ...["nats", "token", "nkey"] as const,
  ).option("--name <name>", "what it is called there: letters, digits, - and _; default random");
  withOptions(worker, "data", "backend");

  const natsConfig = program.command("nats-config")
    .description("write the configuration of a NATS server for shared runs, with fresh secrets")
    .addOption(
      new PlaceOption("--out <file>", "where it goes; default standard output", toWrite),
    )
    .option("--listen <address>", "the address that the server listens under", "127.0.0.1")
    .option("--port <number>", "its websocket's port", number, 8081)
    .option("--cert <path>", "its certificate, for wss://; --key is that one's")
    .option("--key <path>", "the certificate's key")
    .option(
      "--worker <name>",
      "an nkey for a worker of that name; more than once for more",
      gather,
      [],
    );

  const evaluate = withOptions(
    program.command("evaluate").description("test weights from a file"),
    ...["weights", "model", "data", ...NETWORK, "layout", "backend", "seed", "json"] as const,
  );

  const gradient = withOptions(
    program.command("gradient").description("gradients of weights and a batch from a file")
      .addOption(
        new PlaceOption(
          "--input <file>",
          "W1, b1, W2, b2, ... (or PyTorch's names) and a batch x, t",
          toRead,
        )
          .makeOptionMandatory(),
      )
      .addOption(
        new PlaceOption("--out <file>", "where the gradients go: .h5 or .safetensors", toWrite),
      )
      .option(
        "--check <affix>",
        "compare with gradients named so: GBW1 (the default) or W1.grad, ...",
      )
      .option("--rtol <number>", "largest relative error that passes", number, 1e-3)
      .option("--elements <number>", "check so many elements alone, drawn by --seed", number)
      .option("--budget <seconds>", "check as many elements as there is time for", number),
    ...["model", ...NETWORK, ...DIFFERENCE, "layout", "json"] as const,
  );

  const gradcheck = withOptions(
    program.command("gradcheck").description("compare a gradient with float64, tensor by tensor"),
    ...["weights", "model", "layout", "data", "hidden", ...NETWORK, "init", "batch"] as const,
    ...[...UPDATE, ...DIFFERENCE, "sharing", "rng", "json"] as const,
  ).option("--steps <number>", "train so many steps before the check", number, 0)
    .option("--rtol <number>", "largest relative error that passes", number, DEFAULT_TOLERANCE)
    .option("--sweep", "compare the differences and the copies engine for h from 1e-1 to 1e-7");

  const parity = withOptions(
    program.command("parity").description("compare this GPU with float64, kernel by kernel"),
    "json",
  );

  const example = withOptions(
    program.command("example").description("the tutorial's first network, number by number"),
    ...["backend", "json"] as const,
  );

  const plot = program.command("plot").description("draw the loss curves of runs from their logs")
    .argument("<log...>", "files that train --log wrote")
    .addOption(
      new PlaceOption("--out <file.svg>", "where the figure goes", toWrite).makeOptionMandatory(),
    );

  const bench = withOptions(
    program.command("bench").description("measure this machine; every result is checked first")
      .argument("[name...]", "what to measure; all that the machine allows where nothing is named")
      .option("--only <name>", "the same as a name; more than once for more", gather, [])
      .addOption(
        new PlaceOption("--browser", "in Chromium, against other libraries too", toBrowse),
      )
      .option("--smoke", "everything once, at small sizes: checks results, and times nothing")
      .option("--runs <number>", "runs of each, of which the median is taken", number, 5)
      .addOption(new PlaceOption("--plot <file.svg>", "the growth, as a figure", toWrite)),
    ...["data", "seed", "json"] as const,
  );

  const contest = withOptions(
    program.command("contest")
      .description("numerical gradients against surrogates on units with steps: takes hours")
      .addOption(
        new PlaceOption(
          "--results <file>",
          "results, a line each; a contest goes on with them",
          toWrite,
        )
          .default("contest.jsonl"),
      )
      .addOption(
        new PlaceOption("--fashion-mnist <folder>", "four IDX files", toData)
          .default("/usr/share/datasets/fashion-mnist", "Debian's dataset-fashion-mnist"),
      )
      .option("--only <name>", "a data set, network or method; more than once for more", gather, [])
      .option("--steps <number>", "of a run", number, 3000)
      .option("--seeds <number>", "that the runs that count start from", number, 5)
      .option(
        "--smoke",
        "tiny networks on drawn digits, for seconds: shows nothing but that it goes",
      ),
    ...["backend", "json"] as const,
  );

  const web = program.command("web").description("serve the page, to this machine alone")
    .addOption(
      new PlaceOption("--host <name>", "the name or address to listen under", toListen)
        .default(LOCALHOST),
    )
    .option("--port <number>", "the port; 0 for any that is free", number, 8080);

  const build = program.command("build").description("write the page to dist/, for any host");

  const pack = program.command("pack").description("write the library as an npm package")
    .addOption(
      new PlaceOption("--out <file.tgz>", "where it goes", toWrite)
        .default(`${deno.name}-${deno.version}.tgz`),
    );

  return {
    program,
    web,
    build,
    pack,
    bench,
    train,
    evaluate,
    gradient,
    gradcheck,
    parity,
    example,
    plot,
    contest,
    worker,
    "nats-config": natsConfig,
  };
}
