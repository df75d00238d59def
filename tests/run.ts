/**
 * `deno task test`: installs what the tests need where it can, then checks format, lint and types,
 * runs every test, a file beside another where there are cores for it, and ends with one line that
 * counts them.
 */

/**
 * A Vulkan driver, the HDF5 library that files are exchanged with, the tutorial's language, a
 * browser, a server that messages go through, ONNX's own checker and models, and a Korean font.
 */
const PACKAGES = [
  ...["mesa-vulkan-drivers", "python3-h5py", "r-base-core", "chromium"],
  ...["nats-server", "python3-onnx", "libonnx-testdata"],
  "fonts-nanum", // without it a picture of the page in Korean shows boxes
];

async function run(command: string, args: string[], env: Record<string, string> = {}) {
  const child = new Deno.Command(command, { args, env, stdin: "null" });
  return (await child.spawn().status).success;
}

/** Installs missing Debian packages as root; elsewhere says what to type. */
async function install(): Promise<void> {
  const installed = async (name: string) => {
    try {
      const { stdout } = await new Deno.Command("dpkg-query", {
        args: ["-W", "-f=${Status}", name],
        stderr: "null",
      }).output();
      return new TextDecoder().decode(stdout).includes("ok installed");
    } catch {
      return undefined; // no Debian
    }
  };
  const states = await Promise.all(PACKAGES.map(installed));
  const missing = PACKAGES.filter((_, i) => states[i] === false);
  if (missing.length === 0) return;
  const command = `apt-get install -y ${missing.join(" ")}`;
  if (Deno.uid() !== 0) {
    console.log(`The tests want more than is installed; as root, type: ${command}`);
    return;
  }
  console.log(`Installing what the tests need: ${missing.join(" ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const done = await run("apt-get", ["update", "-qq"], env) &&
    await run("apt-get", ["install", "-y", "-qq", ...missing], env);
  if (!done) console.log(`Could not install them; as root, type: ${command}`);
}

await install();
const deno = Deno.execPath();
let passed = 0, failed = 0;
const CHECKS = [
  ["fmt", "--check"],
  ["lint"],
  ["check", "src", "tests"],
  // The page has the browser's library of types, where the rest has Deno's.
  [
    "check",
    "--config",
    "web/deno.json",
    "--import-map",
    "deno.json",
    "web/main.ts",
    "web/worker.ts",
    "web/looker.ts",
    "web/lend_worker.ts",
  ],
  // The libraries that the benchmark compares with, and types of WebGPU that they bring.
  ["check", "--config", "web/bench/deno.json", "web/bench"],
];
for (const args of CHECKS) {
  console.log(`deno ${args.join(" ")}`);
  if (await run(deno, args)) passed++;
  else failed++;
}

/** What builds the page, or looks at what is built, goes one after the other. */
const PAGE = [
  ...["web", "web_defects", "web_shown", "web_shaders"],
  ...["lend", "serve", "launch", "disk", "bench"],
];

/** Files that take long go first, so that none is left to wait for at the end. */
const LONG = ["parity", "engine", "r", "ways", "determinism"];

/** Arguments of the processes that run files, a file each; those of a group one after the other. */
function groupsOf(given: string[]): string[][][] {
  // With options, it is one process that they are meant for.
  if (given.some((argument) => !argument.endsWith("_test.ts"))) return [[given]];
  const fileOf = (name: string) => `tests/${name}_test.ts`;
  const all = [...Deno.readDirSync("tests")].map(({ name }) => `tests/${name}`)
    .filter((file) => file.endsWith("_test.ts")).sort();
  const files = given.length > 0 ? given : [...PAGE, ...LONG].map(fileOf).concat(all);
  const page = new Set(PAGE.map(fileOf));
  const rest = [...new Set(files)].filter((file) => !page.has(file)).map((file) => [[file]]);
  return [[...new Set(files)].filter((file) => page.has(file)).map((file) => [file]), ...rest];
}

/**
 * Runs tests in a process of their own, and says what they said once it ends. Where none of them fails,
 * and yet the process does not end well, that is said, and they are run once more: twice is a failure.
 */
async function test(args: string[], again = false): Promise<void> {
  const { success, code, signal, stdout, stderr } = await new Deno.Command(deno, {
    // The browser's driver looks at places that nothing less opens.
    args: ["test", "--allow-all", ...args],
    env: { NO_COLOR: "1", XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp" },
    stdin: "null",
  }).output();
  await Deno.stderr.write(stderr);
  await Deno.stdout.write(stdout);
  const counts = /(\d+) passed.*?\| (\d+) failed/.exec(new TextDecoder().decode(stdout));
  const wrong = Number(counts?.[2] ?? 0);
  if (!success && wrong === 0) { // it could not even start, or did not end well
    console.log(`${args.join(" ")} ended with ${signal ?? code}, and none of its tests fails`);
    if (!again && counts) return await test(args, true);
    failed++;
  }
  passed += Number(counts?.[1] ?? 0);
  failed += wrong;
}

const groups = groupsOf(Deno.args);
const walkers = Array.from({ length: Math.min(4, navigator.hardwareConcurrency) }, async () => {
  for (let group = groups.shift(); group; group = groups.shift()) {
    for (const args of group) await test(args);
  }
});
await Promise.all(walkers);
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed > 0 ? 1 : 0);
