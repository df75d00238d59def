/**
 * Starts a command in a thread of its own with permission to touch just what its arguments name. The
 * paths are known only now, so no task can list them. This file has every permission, for Deno gives
 * a thread none that its parent lacks, and so it loads nothing but the commands' options, and reads
 * and writes nothing itself. It hears signals while its thread computes, and sees when nobody waits
 * for the command any more.
 */

import { type Command, CommanderError } from "commander";
import { chainAbove, isWhole } from "./chain.ts";
import { createCommands, TOUCHED } from "./commands.ts";
import { EXIT } from "./errors.ts";
import { why } from "./files.ts";
import { CODES, type Report, type SignalName } from "./interrupt.ts";
import { PlaceOption } from "./options.ts";
import { tell } from "./output.ts";
import { ALL, type Places, RUN, SHADERS, toData, toDump, toRead } from "./places.ts";

/** Variables that commands read. Their drivers and libraries find others missing, which is fine. */
const VARIABLES = [
  ...["HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "MNIST_DIR", "NATS_TOKEN", "TMPDIR", "TEMP", "TMP"],
  ...[
    RUN,
    SHADERS,
    "XDG_RUNTIME_DIR",
    "NODE_ENV",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "TERM",
  ],
];

/** What every command may: its variables, and what the CPU's threads are programmed in. */
const COMMON: Places = {
  env: VARIABLES,
  read: ["src/cpu", "src/core", "src/operations", "shaders/operations"]
    .map((folder) => `${import.meta.dirname}/../../${folder}`),
};

/** A thread's permissions: these places and no others. */
function permissionsFor(places: readonly Places[]) {
  const all = (kind: keyof Places) => {
    const values = places.flatMap((place) => place[kind] ?? []).filter((value) => value !== "");
    return values.includes(ALL) ? true : [...new Set(values)];
  };
  return {
    env: all("env"),
    read: all("read"),
    write: all("write"),
    net: all("net"),
    run: all("run"),
    sys: all("sys"),
    ffi: false,
    import: false,
  } as Deno.PermissionOptionsObject;
}

/** Starts a thread. */
function startThread(script: string, permissions: Deno.PermissionOptionsObject): Worker {
  const options = { type: "module", name: script, deno: { permissions } };
  return new Worker(new URL(`./${script}.ts`, import.meta.url), options as WorkerOptions);
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
function keptData(file: string): Promise<string> {
  const thread = startThread("kept", permissionsFor([COMMON, toRead(file)]));
  return new Promise<string>((resolve) => {
    thread.onmessage = ({ data }) => resolve(data);
    thread.postMessage(file);
  }).finally(() => thread.terminate());
}

/**
 * What a command may do.
 * @param args the command and what stands behind it.
 */
export async function permissionsOf(
  args: readonly string[],
): Promise<Deno.PermissionOptionsObject> {
  const command = await parse(args);
  const touched = command && TOUCHED[command.name()]?.(command.processedArgs.flat());
  const places: Places[] = [...touched ?? [], toDump()];
  const values: Record<string, string | undefined> = command?.opts() ?? {};
  for (const option of command?.options ?? []) {
    const value = values[option.attributeName()];
    if (option instanceof PlaceOption && value !== undefined) places.push(option.places(value));
  }
  if (values.resume !== undefined && command!.getOptionValueSource("data") !== "cli") {
    places.push(toData(await keptData(values.resume)));
  }
  return permissionsFor([COMMON, ...places]);
}

/** Milliseconds within which the same signal is the same request. */
const ECHO = 500;
/** Milliseconds between two looks at the chain of programs above. */
const LOOK = 1000;
/** Milliseconds that a command has to end in good order where nobody could ask it twice. */
const GRACE = 30_000;

/** Runs a command to its end, handing on what asks it to end. */
async function launch(args: readonly string[]): Promise<never> {
  const links = chainAbove(); // as soon as can be, while it is whole
  const thread = startThread("main", await permissionsOf(args));
  let inOrder = false, asked = false;
  const ask = (name: SignalName) => {
    if (asked || !inOrder) Deno.exit(CODES[name]);
    asked = true;
    thread.postMessage(name);
  };
  let latest = "", at = 0;
  for (const name of Object.keys(CODES) as SignalName[]) {
    try {
      Deno.addSignalListener(name, () => {
        // One Ctrl-C comes from the terminal, and again from the `deno task` that runs this.
        const isEcho = name === latest && performance.now() - at < ECHO;
        [latest, at] = [name, performance.now()];
        if (!isEcho) ask(name);
      });
    } catch { /* a system without that signal */ }
  }
  const look = setInterval(async () => {
    if (await isWhole(await links)) return;
    clearInterval(look);
    if (!asked) ask("SIGTERM");
    setTimeout(() => Deno.exit(CODES.SIGTERM), GRACE);
  }, LOOK);
  return await new Promise(() => {
    thread.onmessage = ({ data }: MessageEvent<Report>) => {
      if ("code" in data) Deno.exit(data.code);
      inOrder = data.inOrder;
    };
    thread.onerror = (event) => {
      event.preventDefault(); // Deno has printed it
      Deno.exit(EXIT.failed);
    };
  });
}

if (import.meta.main) {
  const place = Deno.env.get("INIT_CWD"); // where the person stands; a task runs in the checkout
  try {
    if (place) Deno.chdir(place);
  } catch (error) {
    tell(`Cannot work in ${place}: ${why(error)}; change to another folder\n`);
    Deno.exit(EXIT.usage);
  }
  await launch(Deno.args);
}
