/** Other people's programs: NumPy's h5py and R, to compare with; Chromium, to run the page in. */

import assert from "node:assert/strict";
import { findChromium } from "../src/cli/chromium.ts";

/** A Python with h5py: `python3`, else Debian's own. */
export const PYTHON = ["python3", "/usr/bin/python3"].find((command) => {
  try {
    return new Deno.Command(command, {
      args: ["-c", "import h5py, numpy"],
      stdout: "null",
      stderr: "null",
    }).outputSync().success;
  } catch {
    return false;
  }
});

/** Runs a Python program: bytes in, bytes out. */
export async function python(
  program: string,
  input: Uint8Array = new Uint8Array(),
): Promise<Uint8Array> {
  const child = new Deno.Command(PYTHON!, {
    args: ["-c", `import io, json, sys\nimport h5py\nimport numpy as np\n${program}`],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(input.slice());
  await writer.close();
  const { success, stdout } = await child.output();
  assert.ok(success, "Python failed");
  return stdout;
}

/** An HDF5 file made by Python: `body` fills the h5py file `f`. */
export function h5py(body: string, options = ""): Promise<Uint8Array> {
  const indented = body.replaceAll(/^/gm, "    ");
  return python(
    `file = io.BytesIO()\nwith h5py.File(file, "w"${options}) as f:\n${indented}\n` +
      `sys.stdout.buffer.write(file.getvalue())`,
  );
}

/** Whether there is R; fails in CI, and is a loud skip elsewhere. */
export function hasR(): boolean {
  try {
    if (new Deno.Command("Rscript", { args: ["--version"] }).outputSync().success) return true;
  } catch { /* reported below */ }
  assert.notEqual(Deno.env.get("GPU"), "required", "R is missing: apt-get install r-base-core");
  console.log("SKIPPED: no Rscript was found; apt-get install r-base-core");
  return false;
}

/** Runs R. */
export async function rscript(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("Rscript", {
    args: ["--vanilla", ...args],
    stdout: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** A Vulkan driver that computes on the CPU, as Chromium brings it along. */
export const SWIFTSHADER = [
  "/usr/lib/chromium/vk_swiftshader_icd.json",
  "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
  "/opt/google/chrome/vk_swiftshader_icd.json",
].find((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

/** Whether there is Node; fails in CI, and is a loud skip elsewhere. */
export function hasNode(): boolean {
  try {
    if (new Deno.Command("node", { args: ["--version"] }).outputSync().success) return true;
  } catch { /* reported below */ }
  assert.notEqual(Deno.env.get("GPU"), "required", "Node is missing: apt-get install nodejs");
  console.log("SKIPPED: no Node was found; apt-get install nodejs");
  return false;
}

/** Whether there is SwiftShader; fails in CI, and is a loud skip elsewhere. */
export function hasSwiftShader(): boolean {
  if (SWIFTSHADER) return true;
  assert.notEqual(Deno.env.get("GPU"), "required", "no SwiftShader: apt-get install chromium");
  console.log("SKIPPED: no SwiftShader was found; apt-get install chromium");
  return false;
}

/** Whether there is Chromium; fails in CI, and is a loud skip elsewhere. */
export function hasChromium(): boolean {
  if (findChromium()) return true;
  assert.notEqual(Deno.env.get("GPU"), "required", "no Chromium: apt-get install chromium");
  console.log("SKIPPED: no Chromium was found; apt-get install chromium");
  return false;
}

/** ONNX's own models, with what goes in and comes out. */
export const ONNX_MODELS = [
  "/usr/share/libonnx-testdata/data",
  "/usr/lib/python3/dist-packages/onnx/backend/test/data",
].find((path) => {
  try {
    return Deno.statSync(`${path}/node`).isDirectory;
  } catch {
    return false;
  }
});

/** Whether there are ONNX's models; fails in CI, and is a loud skip elsewhere. */
export function hasOnnxModels(): boolean {
  if (ONNX_MODELS) return true;
  assert.notEqual(
    Deno.env.get("GPU"),
    "required",
    "no ONNX models: apt-get install libonnx-testdata",
  );
  console.log("SKIPPED: no ONNX models were found; apt-get install libonnx-testdata");
  return false;
}

/** A Python with ONNX's own library: Debian's, or `python3`. */
export const ONNX_PYTHON = ["/usr/bin/python3", "python3"].find((command) => {
  try {
    return new Deno.Command(command, {
      args: ["-c", "import onnx, numpy"],
      stdout: "null",
      stderr: "null",
    }).outputSync().success;
  } catch {
    return false;
  }
});

/** Whether there is ONNX's own library; fails in CI, and is a loud skip elsewhere. */
export function hasOnnx(): boolean {
  if (ONNX_PYTHON) return true;
  assert.notEqual(Deno.env.get("GPU"), "required", "no ONNX: apt-get install python3-onnx");
  console.log("SKIPPED: no Python with onnx was found; apt-get install python3-onnx");
  return false;
}

/** Runs a Python program that has ONNX; text out. */
export async function onnxPython(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(ONNX_PYTHON!, {
    args: ["-c", program, ...args],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
