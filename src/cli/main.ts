/** The command line: what each command does, and how it ends. */

import { type Command, CommanderError } from "commander";
import { createCommands } from "./commands.ts";
import type { BenchOptions } from "./bench.ts";
import type { ContestOptions } from "./contest.ts";
import { EXIT, isForUser } from "./errors.ts";
import { runEvaluate } from "./evaluate.ts";
import { runExample } from "./example.ts";
import { releaseClaims } from "./files.ts";
import { runGradcheck } from "./gradcheck.ts";
import { type GradientOptions, runGradient } from "./gradient.ts";
import { report } from "./interrupt.ts";
import { type Given, type Options, withDefaults } from "./options.ts";
import type { ConfigOptions, WorkerOptions } from "./nats.ts";
import { outputFailed, takeConsole } from "./output.ts";
import { SHADERS } from "./places.ts";
import { runParity } from "./parity.ts";
import { runPlot } from "./plot.ts";
import type { WebOptions } from "./serve.ts";
import { runTrain } from "./train.ts";

const {
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
} = createCommands();

let exitCode: number = EXIT.done;

const given = (command: Command): Given => (name) => command.getOptionValueSource(name) === "cli";

train.action(async (options: Options) => {
  exitCode = await runTrain(options, given(train));
});

evaluate.action((options: Options) => {
  const weights = options.weights ?? options.model;
  if (weights === undefined) {
    throw new TypeError("Cannot evaluate nothing: give --weights FILE, or --model FILE.onnx");
  }
  return runEvaluate({ ...withDefaults(options), weights }, given(evaluate));
});

gradient.action(async (options: GradientOptions) => {
  exitCode = await runGradient(withDefaults(options), given(gradient));
});

gradcheck.action(async (options: Options & { rtol: number; sweep?: boolean }) => {
  exitCode = await runGradcheck(options, given(gradcheck));
});

parity.action(async (options: { json?: boolean }) => {
  exitCode = await runParity(options);
});

example.action(runExample);

plot.action((files: string[], { out }: { out: string }) => runPlot(files, out));

contest.action(async (options: ContestOptions) => {
  exitCode = await (await import("./contest.ts")).runContest(options);
});

// The client library is needed for these, and train --nats, alone.
worker.action(async (options: WorkerOptions) => {
  exitCode = await (await import("./nats.ts")).runWorker(options);
});
natsConfig.action(async (options: ConfigOptions) => {
  exitCode = await (await import("./nats.ts")).runNatsConfig(options);
});

bench.action(async (names: string[], options: BenchOptions & { only: string[] }) => {
  const { runBench } = await import("./bench.ts"); // what it needs, no other command does
  exitCode = await runBench([...names, ...options.only], options);
});

// The bundler is needed for the page alone.
web.action(async (options: WebOptions) => await (await import("./serve.ts")).runWeb(options));
build.action(async () => await (await import("./build.ts")).runBuild());
pack.action(async ({ out }: { out: string }) => await (await import("./pack.ts")).runPack(out));

// The windowing library behind some drivers complains where this is not set.
if (!Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", "/tmp");

takeConsole();
try {
  const folder = Deno.env.get(SHADERS);
  if (folder) (await import("./shaders.ts")).dumpShaders(folder);
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
} finally {
  releaseClaims();
}
report({ code: exitCode === EXIT.done && outputFailed() ? EXIT.failed : exitCode });
