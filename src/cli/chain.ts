/**
 * The programs that a command is started through: `npx`, its shell, `deno task`. Most of them end
 * without a word to what they have started when a signal ends them. A command looks at them now and
 * then: where one has lost the one above it, the chain is broken, and nobody waits for the command.
 *
 * What stands above the chain is not looked at: a shell, a terminal or a service that ends, and
 * leaves a command running on purpose, leaves its chain whole.
 */

/** A running program. */
interface Program {
  /** Process number of its parent. */
  readonly parent: number;
  /** Its command line. */
  readonly words: readonly string[];
}

/**
 * What the system says of processes: of those that there are, and of none where it never does.
 * @throws when it cannot say now: there are too many open files, or too many processes.
 */
async function lookUp(pids: readonly number[]): Promise<Map<number, Program>> {
  const programs = new Map<number, Program>();
  if (Deno.build.os === "windows") return programs; // nothing tells there that a parent has ended
  if (Deno.build.os === "linux") {
    for (const pid of pids) {
      try {
        // pid (name) state parent: the name may hold anything, parentheses, too.
        const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
        const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
        const line = await Deno.readTextFile(`/proc/${pid}/cmdline`);
        // A program that has named itself has one word, with spaces in it.
        const words = line.replace(/[\0\s]+$/, "").split("\0");
        programs.set(pid, { parent, words: words.length === 1 ? words[0].split(" ") : words });
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error; // else it has ended
      }
    }
    return programs;
  }
  const args = ["-ww", "-o", "pid=,ppid=,args=", "-p", pids.join(",")];
  const { stdout } = await new Deno.Command("ps", { args, stderr: "null" }).output();
  for (const line of new TextDecoder().decode(stdout).trim().split("\n")) {
    const [pid, parent, ...words] = line.trim().split(/\s+/);
    programs.set(Number(pid), { parent: Number(parent), words });
  }
  return programs;
}

/** The last part of a path, without what Windows adds. */
const base = (path: string | undefined) => path?.replace(/^.*[/\\]/, "").replace(/\.exe$/, "");

const isDenoTask = ({ words: [program, ...words] }: Program) =>
  base(program) === "deno" && words.find((word) => !word.startsWith("-")) === "task";

/** Deno's npm package, as long as it has not put Deno itself in its own place. */
const isDenoScript = ({ words: [program, script, ...words] }: Program) =>
  base(program) === "node" && /^(deno|bin\.cjs)$/.test(base(script) ?? "") &&
  words.includes("task");

const isShell = ({ words: [program, flag, script] }: Program) =>
  /^(ba|da|z|k)?sh$/.test(base(program) ?? "") && flag === "-c" && /deno\W/.test(script ?? "");

/** npm calls itself `npm exec ...`; elsewhere it is a script that Node runs. */
const isNpm = ({ words: [program, script] }: Program) =>
  /^(npm|npx)$/.test(base(program) ?? "") ||
  base(program) === "node" && /^(npm|npx)(-cli)?(\.c?js)?$/.test(base(script) ?? "");

/** Two programs, of which the one has started the other. */
type Link = readonly [child: number, parent: number];

/**
 * The chain above this process, from below: `deno task`, Deno's script where it is one, and npm with
 * its shell. Empty where this process was started in another way.
 */
export async function chainAbove(): Promise<Link[]> {
  const links: Link[] = [];
  const one = async (pid: number) => (await lookUp([pid]).catch(() => undefined))?.get(pid);
  let child = Deno.pid, parent = Deno.ppid;
  let above = await one(parent);
  const climb = async () => {
    links.push([child, parent]);
    [child, parent] = [parent, above!.parent];
    above = await one(parent);
  };
  while (above && isDenoTask(above)) await climb();
  if (links.length === 0) return links;
  if (above && isDenoScript(above)) await climb();
  if (above && isShell(above)) { // anybody's, unless npm is behind it
    const npm = await one(above.parent);
    if (npm && isNpm(npm)) await climb();
  }
  if (above && isNpm(above)) await climb();
  return links;
}

/** Whether every program of a chain still has the parent that it had, as far as can be told. */
export async function isWhole(links: readonly Link[]): Promise<boolean> {
  if (links.length === 0) return true;
  if (Deno.ppid !== links[0][1]) return false;
  try {
    const programs = await lookUp(links.map(([child]) => child));
    return !programs.has(Deno.pid) || // nothing was said at all
      links.every(([child, parent]) => programs.get(child)?.parent === parent);
  } catch {
    return true;
  }
}
