/**
 * `pack`: writes the library as an npm package: modules without Deno in them, shaders inlined, with
 * their types.
 */

import { createTarGzip } from "nanotar";
import ts from "typescript";
import deno from "../../deno.json" with { type: "json" };
import { baseOf, bundle } from "./bundle.ts";
import { why, writeWhole } from "./files.ts";
import { ROOT } from "./places.ts";

/** Where its parts lie in the package: `src/mod.ts` is what deno.json exports. */
const ENTRIES = {
  index: "src/mod.ts",
  node: "src/node.ts",
  check: "src/check.ts", // by itself, for who checks gradients alone: it loads the rest when called
  thread: "src/cpu/thread.ts",
};

/** Dawn under Node, which a user may or may not install. */
const PEERS = { webgpu: ">=0.6.2" };

const text = (value: string) => new TextEncoder().encode(value);

/** `fflate` and `@bufbuild/protobuf` of what is imported from them. */
const packageOf = (path: string) => /^(@[^/]+\/)?[^/]+/.exec(path)![0];

/** Versions of what is not bundled, as deno.json pins them. */
function dependenciesOf(paths: readonly string[]): Record<string, string> {
  const names = [...new Set(paths.map(packageOf))].sort();
  const pinned = Object.values(deno.imports);
  return Object.fromEntries(names.map((name) => {
    const line = pinned.find((place) => place.startsWith(`npm:${name}@`))!;
    return [name, line.slice(`npm:${name}@`.length).replace(/\/.*/, "")];
  }));
}

/** package.json of the modules. */
const manifestOf = (dependencies: Record<string, string>) => ({
  name: deno.name,
  version: deno.version,
  description: "Numerical gradients of neural networks, exact to float32's last digits, on WebGPU",
  license: deno.license,
  type: "module",
  sideEffects: ["./node.js"],
  exports: {
    ".": { types: "./types/mod.d.ts", node: "./node.js", default: "./index.js" },
    "./check": { types: "./types/check.d.ts", default: "./check.js" },
    "./package.json": "./package.json",
  },
  types: "./types/mod.d.ts",
  engines: { node: ">=20" },
  dependencies,
  peerDependencies: PEERS,
  peerDependenciesMeta: Object.fromEntries(
    Object.keys(PEERS).map((name) => [name, {
      optional: true,
    }]),
  ),
});

/**
 * The declarations that an entry's own lead to, by their paths.
 * @throws {TypeError} when the types do not check.
 */
function declarationsOf(entry: string): Map<string, string> {
  const options: ts.CompilerOptions = {
    ...{ declaration: true, emitDeclarationOnly: true, strict: true, skipLibCheck: true },
    ...{ allowImportingTsExtensions: true, resolveJsonModule: true },
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: ["@webgpu/types"],
    rootDir: `${ROOT}/src`,
    outDir: "/types",
  };
  const host = ts.createCompilerHost(options), shaders = `${ROOT}/src/shaders.d.ts`;
  const { fileExists, getSourceFile } = host, written = new Map<string, string>();
  host.getCurrentDirectory = () => ROOT;
  host.fileExists = (path) => path === shaders || fileExists.call(host, path);
  host.getSourceFile = (path, ...rest) =>
    path === shaders
      ? ts.createSourceFile(
        path,
        'declare module "*.wgsl" { const text: string; export default text; }',
        ts.ScriptTarget.ESNext,
      )
      : getSourceFile.call(host, path, ...rest);
  host.writeFile = (path, declarations) => written.set(path.slice("/types/".length), declarations);
  const program = ts.createProgram([`${ROOT}/${entry}`, shaders], options, host);
  const [problem] = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  if (problem) {
    const at = problem.file ? `${problem.file.fileName.slice(ROOT.length + 1)}: ` : "";
    throw new TypeError(
      `Cannot write types: ${at}${ts.flattenDiagnosticMessageText(problem.messageText, " ")}`,
    );
  }
  const wanted = new Map<string, string>();
  const visit = (path: string) => {
    const declarations = written.get(path);
    if (declarations === undefined || wanted.has(path)) return;
    wanted.set(path, declarations.replace(/((?:from|import\()\s*"\.[^"]*)\.ts"/g, '$1.js"'));
    const places = declarations.matchAll(/(?:from|import\()\s*"(\.[^"]*)\.ts"/g);
    for (const [, place] of places) {
      visit(new URL(`${place}.d.ts`, `file:///${path}`).pathname.slice(1));
    }
  };
  visit(entry.replace(/^src\//, "").replace(/\.ts$/, ".d.ts"));
  return wanted;
}

/** The files of the package, by their paths. */
export async function packageFiles(): Promise<Map<string, Uint8Array>> {
  const { outputFiles, metafile } = await bundle("the package", ENTRIES, {
    packages: "external",
    chunkNames: "[name]-[hash]",
  });
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports)
    .filter(({ external, path }) => external && !path.startsWith("node:"))
    .map(({ path }) => path);
  const manifest = manifestOf(dependenciesOf(imported));
  return new Map([
    ["package.json", text(`${JSON.stringify(manifest, null, 2)}\n`)],
    ...await Promise.all(
      ["README.md", "LICENSE"].map(async (name) =>
        [name, await Deno.readFile(`${ROOT}/${name}`)] as const
      ),
    ),
    ...outputFiles.map(({ path, contents }) => [baseOf(path), contents] as const),
    ...[...declarationsOf(ENTRIES.index)].map(([path, declarations]) =>
      [`types/${path}`, text(declarations)] as const
    ),
  ]);
}

/**
 * Runs the command.
 * @param path of the file to write; by default the package's name and version, where one stands.
 * @throws {TypeError} when it cannot be written.
 */
export async function runPack(path: string): Promise<void> {
  let files;
  try {
    files = await packageFiles();
  } catch (error) {
    if (error instanceof TypeError) throw error;
    throw new TypeError(`Cannot pack the library: ${why(error)}`);
  }
  const bytes = await createTarGzip(
    [...files].map(([name, data]) => ({ name: `package/${name}`, data })),
  );
  await writeWhole(path, bytes);
  console.log(
    `Wrote ${path}, ${
      Math.round(bytes.length / 1000)
    } kB: npm install ${path} in a project of yours.`,
  );
}
