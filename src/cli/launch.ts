/**
 * Starts a command with permission to touch just what its own arguments name. The paths are known
 * only now, so no task can list them. This file reads nothing, writes nothing, and loads nothing
 * but the commands' options; the work is done in the process that it starts.
 */

import { type Command, CommanderError } from "commander";
import { createCommands, TOUCHED } from "./commands.ts";
import { CODES } from "./interrupt.ts";
import { PlaceOption } from "./options.ts";
import { type Places, RUN, toData, toRead } from "./places.ts";

/** Variables that commands read. Their drivers and libraries find others missing, which is fine. */
const VARIABLES = [
  ...["HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "MNIST_DIR", "TMPDIR", "TEMP", "TMP", RUN],
  ...["XDG_RUNTIME_DIR", "NODE_ENV", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TERM"],
];

/** What the CPU's threads are programmed in: a worker's modules must be readable. */
const THREADS: Places = {
  read: ["src/cpu", "src/core", "src/operations", "shaders/operations"]
    .map((folder) => `${import.meta.dirname}/../../${folder}`),
};

const script = (name: string) => `${import.meta.dirname}/${name}.ts`;

/** Deno cannot be told of a path with a comma: the folder that the part with the comma is in. */
const withoutComma = (path: string) =>
  path.includes(",") ? /^([^,]*[/\\])?/.exec(path)![0] || "." : path;

/** Deno's arguments in front of the script: these places and no others, and never a question. */
function flagsFor(places: readonly Places[]): string[] {
  const allow = (kind: keyof Places) => {
    const values = places.flatMap((place) => place[kind] ?? []).filter((value) => value !== "");
    const list = [...new Set(values.map(withoutComma))].join(",");
    return list === "" ? [] : [`--allow-${kind}=${list}`];
  };
  return [
    ...["run", "--no-prompt", "--frozen", "--no-remote", `--allow-env=${VARIABLES}`],
    ...allow("read"),
    ...allow("write"),
    ...allow("net"),
    ...allow("run"),
    ...allow("sys"),
  ];
}

/** The command that the arguments name; undefined where they are wrong or ask for help. */
async function parse(args: readonly string[]): Promise<Command | undefined> {
  const { program, ...commands } = createCommands();
  let chosen: Command | undefined;
  for (const command of Object.values(commands)) {
    command.action(() => void (chosen = command));
    command.configureOutput({ writeOut() {}, outputError() {} }); // the command itself says it
  }
  program.configureOutput({ writeOut() {}, outputError() {} });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
  }
  return chosen;
}

/** The data that a saved run goes on with, where none are named now. */
async function keptData(file: string): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...flagsFor([toRead(file)]), script("kept"), file],
    stderr: "null", // what is wrong with the file, the command says
  }).output();
  return new TextDecoder().decode(stdout);
}

/**
 * Deno's arguments for a command: permissions, script, and the command's own arguments.
 * @param args the command and what stands behind it.
 */
export async function launchArguments(args: readonly string[]): Promise<string[]> {
  const command = await parse(args);
  const places: Places[] = command
    ? TOUCHED[command.name()]?.(command.processedArgs.flat()) ?? []
    : [];
  const values: Record<string, string | undefined> = command?.opts() ?? {};
  for (const option of command?.options ?? []) {
    const value = values[option.attributeName()];
    if (option instanceof PlaceOption && value !== undefined) places.push(option.places(value));
  }
  if (values.resume !== undefined && command!.getOptionValueSource("data") !== "cli") {
    places.push(toData(await keptData(values.resume)));
  }
  return [...flagsFor([THREADS, ...places]), script("main"), ...args];
}

/** Milliseconds within which the same signal is the same request. */
const ECHO = 500;

/** Runs the command to its end, handing on the signals that ask it to end. */
async function launch(args: readonly string[]): Promise<number> {
  let asked = 0, latest = "", at = 0;
  // A group of its own: Ctrl-C reaches it through us alone, and so only once.
  const child = new Deno.Command(Deno.execPath(), {
    args: await launchArguments(args),
    detached: Deno.build.os !== "windows",
  }).spawn();
  for (const [name, code] of Object.entries(CODES)) {
    try {
      Deno.addSignalListener(name as Deno.Signal, () => {
        // One Ctrl-C comes from the terminal, and again from each `deno task` that runs this.
        const isEcho = name === latest && performance.now() - at < ECHO;
        [latest, at] = [name, performance.now()];
        if (isEcho) return;
        child.kill(asked++ === 0 ? name as Deno.Signal : "SIGKILL");
        if (asked > 1) Deno.exit(code);
      });
    } catch { /* a system without that signal */ }
  }
  return (await child.status).code;
}

if (import.meta.main) Deno.exit(await launch(Deno.args));
