/** The command line: which commands there are, and how each ends. */

import { Command, CommanderError } from "commander";
import type { BenchOptions } from "./bench.ts";
import { EXIT, isForUser } from "./errors.ts";
import { runEvaluate } from "./evaluate.ts";
import { runExample } from "./example.ts";
import { DEFAULT_TOLERANCE, runGradcheck } from "./gradcheck.ts";
import { type GradientOptions, runGradient } from "./gradient.ts";
import { type Given, number, type Options, withDefaults, withOptions } from "./options.ts";
import { runPlot } from "./plot.ts";
import { runTrain } from "./train.ts";

const program = new Command("deno task")
  .description("Trains neural networks by numerical gradients, on WebGPU.")
  .exitOverride()
  .configureOutput({
    // One line: the error and, behind it, the suggestion.
    outputError: (text, write) => write(text.trim().replace(/\s*\n\s*/g, " ") + "\n"),
  });

let exitCode: number = EXIT.done;

const given = (command: Command): Given => (name) => command.getOptionValueSource(name) === "cli";

const gather = (value: string, before: string[]) => [...before, value];

const NETWORK = ["activation", "loss", "epsilon"] as const;
const DIFFERENCE = ["estimator", "queries", "h", "engine", "backend", "seed"] as const;
const UPDATE = ["lr", "optimizer", "weightDecay", "schedule"] as const;

withOptions(
  program.command("train").description("train a network and test it"),
  ...["data", "hidden", ...NETWORK, "init", "steps", "batch", ...UPDATE, ...DIFFERENCE] as const,
  ...[
    "rng",
    "evalEvery",
    "save",
    "saveEvery",
    "resume",
    "override",
    "layout",
    "log",
    "plot",
    "json",
  ] as const,
).action(async (options: Options, command: Command) => {
  exitCode = await runTrain(options, given(command));
});

withOptions(
  program.command("evaluate").description("test weights from a file"),
  ...["weights", "data", ...NETWORK, "layout", "backend", "seed", "json"] as const,
).action((options: Options, command: Command) => {
  if (options.weights === undefined) {
    throw new TypeError("Cannot evaluate nothing: give --weights FILE");
  }
  const weights = options.weights;
  return runEvaluate({ ...withDefaults(options), weights }, given(command));
});

withOptions(
  program.command("gradient").description("gradients of weights and a batch from a file")
    .requiredOption("--input <file>", "W1, b1, W2, b2, ... and a batch x, t")
    .option("--out <file>", "where the gradients go: .h5 or .safetensors")
    .option("--check <prefix>", "compare with gradients named so: prefix W1, ... (default GB)")
    .option("--rtol <number>", "largest relative error that passes", number, 1e-3),
  ...[...NETWORK, ...DIFFERENCE, "layout", "json"] as const,
).action(async (options: GradientOptions) => {
  exitCode = await runGradient(withDefaults(options));
});

withOptions(
  program.command("gradcheck").description("compare a gradient with float64, tensor by tensor"),
  ...["weights", "layout", "data", "hidden", ...NETWORK, "init", "batch"] as const,
  ...[...UPDATE, ...DIFFERENCE, "rng", "json"] as const,
).option("--steps <number>", "train so many steps before the check", number, 0)
  .option("--rtol <number>", "largest relative error that passes", number, DEFAULT_TOLERANCE)
  .option("--sweep", "compare the differences and the copies engine for h from 1e-1 to 1e-7")
  .action(
    async (options: Options & { rtol: number; sweep?: boolean }, command: Command) => {
      exitCode = await runGradcheck(options, given(command));
    },
  );

withOptions(
  program.command("example").description("the tutorial's first network, number by number"),
  ...["backend", "json"] as const,
).action(runExample);

program.command("plot").description("draw the loss curves of runs from their logs")
  .argument("<log...>", "files that train --log wrote")
  .requiredOption("--out <file.svg>", "where the figure goes")
  .action((files: string[], { out }: { out: string }) => runPlot(files, out));

withOptions(
  program.command("bench").description("measure this machine; every result is checked first")
    .argument("[name...]", "what to measure; all that the machine allows where nothing is named")
    .option("--only <name>", "the same as a name; more than once for more", gather, [])
    .option("--browser", "in Chromium, against other libraries too")
    .option("--smoke", "everything once, at small sizes: checks results, and times nothing")
    .option("--runs <number>", "runs of each, of which the median is taken", number, 5)
    .option("--plot <file.svg>", "the growth, as a figure"),
  ...["data", "seed", "json"] as const,
).action(async (names: string[], options: BenchOptions & { only: string[] }) => {
  const { runBench } = await import("./bench.ts"); // what it needs, no other command does
  exitCode = await runBench([...names, ...options.only], options);
});

// The windowing library behind some drivers complains where this is not set.
if (!Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", "/tmp");

try {
  await program.parseAsync(Deno.args, { from: "user" });
} catch (error) {
  if (error instanceof CommanderError) {
    exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage; // already printed
  } else if (isForUser(error)) {
    console.error(error.message);
    exitCode = EXIT.usage;
  } else {
    throw error;
  }
}
Deno.exit(exitCode);
