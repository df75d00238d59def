/** The command line: which commands there are, and how each ends. */

import { Command, CommanderError } from "commander";
import { EXIT, isForUser } from "./errors.ts";
import { DEFAULT_TOLERANCE, runGradcheck } from "./gradcheck.ts";
import { type Options, withOptions } from "./options.ts";
import { runTrain } from "./train.ts";

const program = new Command("deno task")
  .description("Trains neural networks by numerical gradients, on WebGPU.")
  .exitOverride()
  .configureOutput({
    // One line: the error and, behind it, the suggestion.
    outputError: (text, write) => write(text.trim().replace(/\s*\n\s*/g, " ") + "\n"),
  });

let exitCode: number = EXIT.done;

withOptions(
  program.command("train").description("train a network and test it"),
  ...["data", "hidden", "activation", "loss", "epsilon", "init", "steps", "batch"] as const,
  ...["lr", "optimizer", "weightDecay", "schedule", "estimator", "queries", "h"] as const,
  ...["engine", "backend", "seed", "evalEvery", "log", "json"] as const,
).action((options: Options) => runTrain(options));

withOptions(
  program.command("gradcheck").description("compare a gradient with float64, tensor by tensor"),
  ...["data", "hidden", "activation", "loss", "epsilon", "init", "batch", "lr"] as const,
  ...["optimizer", "weightDecay", "schedule", "estimator", "queries", "h", "engine"] as const,
  ...["backend", "seed", "json"] as const,
).option("--steps <number>", "train so many steps before the check", Number, 0)
  .option("--rtol <number>", "largest relative error that passes", Number, DEFAULT_TOLERANCE)
  .option("--sweep", "compare the differences and the copies engine for h from 1e-1 to 1e-7")
  .action(async (options: Options & { rtol: number; sweep?: boolean }) => {
    exitCode = await runGradcheck(options);
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
