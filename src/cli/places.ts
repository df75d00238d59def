/**
 * Which places on disk and on the network an argument on the command line stands for, and which
 * programs. The launcher grants these and no others, and the commands look nowhere else.
 */

import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { parseAddress } from "../nats/address.ts";
import { CHROMIUM } from "./chromium.ts";

/** Places that a command may touch, and programs that it may start. */
export interface Places {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  /** Hosts. */
  readonly net?: readonly string[];
  /** Programs. */
  readonly run?: readonly string[];
  /** Variables of the environment. */
  readonly env?: readonly string[];
  /** What it may ask about the machine, as Deno calls it. */
  readonly sys?: readonly string[];
}

/** Stands for every place of a kind; no path can be called so. */
export const ALL = "\0";

const env = (name: string) => Deno.env.get(name);

/** A file that is read. */
export const toRead = (path: string): Places => ({ read: [path] });

/** Symbolic links that lead to one another: as many as Linux follows. */
const MOST_LINKS = 40;

/** A path and, where it is a symbolic link, what it leads to from link to link; the file is last. */
function linksFrom(path: string): string[] {
  const paths = [path];
  while (paths.length <= MOST_LINKS) {
    const last = paths.at(-1)!;
    try {
      const link = Deno.readLinkSync(last);
      const isAbsolute = /^([/\\]|[A-Za-z]:)/.test(link);
      paths.push(isAbsolute ? link : /^(.*[/\\])?/.exec(last)![0] + link);
    } catch {
      break; // no link, or nothing there
    }
  }
  return paths;
}

/** The file that a path means: what a symbolic link leads to, whether or not it is there. */
export const targetOf = (path: string) => linksFrom(path).at(-1)!;

/** No file system in use has longer names, in bytes. */
const LONGEST_NAME = 255;

/** The name that a file has as long as it is being written, beside where it is to be. */
export function partOf(path: string): string {
  const [folder] = /^(.*[/\\])?/.exec(path)!;
  const name = path.slice(folder.length);
  const part = `${name}.part`;
  if (new TextEncoder().encode(part).length <= LONGEST_NAME) return folder + part;
  return `${folder}${createHash("sha256").update(name).digest("hex")}.part`;
}

/** A file that is written. */
export function toWrite(path: string): Places {
  const names = linksFrom(path);
  const paths = [...names, partOf(names.at(-1)!)];
  return { read: paths, write: paths }; // what is renamed or locked must be read, too
}

/** Tells this run from others: the launcher names it, and the command that it starts is told. */
export const RUN = "NUMERICAL_GRADIENTS_RUN";

/** Names the folder that every shader is written to, for who wants to look at them. */
export const SHADERS = "NUMERICAL_GRADIENTS_SHADERS";

/** The folder of shaders, where one is named. */
export function toDump(): Places {
  const folder = env(SHADERS);
  return folder ? { read: [folder], write: [folder] } : {};
}

/** This run's own name in the temporary folder, with some ending. */
function temporaryPath(ending: string): string {
  if (!env(RUN)) Deno.env.set(RUN, crypto.randomUUID()); // nobody's link lies in wait under it
  const temporary = env("TMPDIR") ?? env("TEMP") ?? env("TMP") ?? "/tmp";
  return `${temporary.replace(/[/\\]$/, "")}/numerical-gradients-${env(RUN)}${ending}`;
}

/** Where a run is saved when it cannot be saved where it was to be. */
export const recoveryOf = (path: string) => temporaryPath(/\.\w+$/.exec(path)?.[0] ?? "");

/** The folder that a browser keeps its own files in, as long as it runs. */
export const browserProfile = () => temporaryPath("-browser");

/** The host that pages are served from, to this machine alone. */
export const LOCALHOST = "127.0.0.1";

/** The checkout. */
export const ROOT = resolve(import.meta.dirname!, "../..");

/** Where `build` writes the page. */
export const DIST = `${ROOT}/dist`;

/** What the page is bundled from that is read as it is. */
export const INDEX = `${ROOT}/web/index.html`;

/** The page's bundler, a program of its own, and what it asks for. */
const toBundle: Places = { read: [INDEX], run: [ALL], env: [ALL] };

/** A bundled page, written. */
export const toBuild = (): Places => ({ ...toBundle, read: [INDEX, DIST], write: [DIST] });

/** What an npm package is made of, besides what the bundler reads. */
export const toPack = (): Places => ({
  ...toBundle,
  read: ["src", "shaders", "node_modules", "README.md", "LICENSE"].map((name) => `${ROOT}/${name}`),
});

/** A bundled page, and MNIST from the cache, given out to whoever asks for them. */
export const toServe = (): Places => ({ ...toBundle, read: [INDEX, mnistCache()] });

/** A name of this machine that is listened under. */
export const toListen = (host: string): Places => ({
  net: [host.includes(":") && !host.startsWith("[") ? `[${host}]` : host],
});

/** A NATS server's websocket, and nothing else there. */
export function toServer(address: string): Places {
  try {
    const { url } = parseAddress(address);
    const { hostname, port, protocol } = new URL(url);
    return { net: [`${hostname}:${port || (protocol === "wss:" ? 443 : 80)}`] };
  } catch {
    return {}; // the command says what is wrong with it
  }
}

/** A browser on this machine, and the page that it is shown. */
export const toBrowse = (): Places => ({
  read: [...CHROMIUM, browserProfile()],
  write: [browserProfile()],
  net: [LOCALHOST],
  run: CHROMIUM,
});

/** What a benchmark starts and asks: the commands that it times, R, and which processor this is. */
export const toMeasure = (): Places => ({ run: [Deno.execPath(), "Rscript"], sys: ["cpus"] });

/** A file that a run is saved in. */
export function toSave(path: string): Places {
  const [there, elsewhere] = [toWrite(path), toWrite(recoveryOf(path))];
  return {
    read: [...there.read!, ...elsewhere.read!],
    write: [...there.write!, ...elsewhere.write!],
  };
}

/** Where MNIST is downloaded from. */
export const MIRRORS = [
  "https://storage.googleapis.com/cvdf-datasets/mnist/",
  "https://ossci-datasets.s3.amazonaws.com/mnist/",
] as const;

/** The folder of the MNIST files that were fetched. */
export function mnistCache(): string {
  const caches = env("XDG_CACHE_HOME") ?? env("LOCALAPPDATA") ?? `${env("HOME") ?? "."}/.cache`;
  return `${caches}/numerical-gradients/mnist`;
}

/** The four files of a data set, as MNIST's are called. */
export const DATA_NAMES = {
  trainImages: "train-images-idx3-ubyte",
  trainLabels: "train-labels-idx1-ubyte",
  testImages: "t10k-images-idx3-ubyte",
  testLabels: "t10k-labels-idx1-ubyte",
} as const;

/** The paths that one of the four may have: gzipped or not, under either of the usual spellings. */
export const spellings = (folder: string, name: string) =>
  [name, name.replace("-idx", ".idx")].flatMap((base) =>
    ["", ".gz"].map((ending) => `${folder}/${base}${ending}`)
  );

/** Whether a path is that of a file of tensors, by its ending. */
export const isTensorFile = (path: string) => /\.(h5|hdf5|safetensors|npz)$/i.test(path);

/** What `--data` names: `auto`, `mnist`, `digits`, a file of tensors, or a folder. */
export function toData(choice: string): Places {
  if (choice === "digits") return {};
  if (isTensorFile(choice)) return toRead(choice);
  const isMnist = choice === "mnist" || choice === "auto";
  const folder = isMnist ? env("MNIST_DIR") : choice;
  if (folder) return { read: Object.values(DATA_NAMES).flatMap((name) => spellings(folder, name)) };
  const cache = mnistCache();
  return { read: [cache], write: [cache], net: MIRRORS.map((mirror) => new URL(mirror).host) };
}
