import assert from "node:assert/strict";
import { ACTIVATIONS, LOSSES } from "../src/core/network.ts";
import { cli, ROOT } from "./support.ts";
import { PYTHON, python } from "./tools.ts";

Deno.test("the README's library example runs and learns", async () => {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const [, example] = /```ts\n([^]*?)```/.exec(readme)!;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  const library = new URL("../src/mod.ts", import.meta.url).href;
  await Deno.writeTextFile(file, example.replace("./src/mod.ts", library));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--check", "--config", `${ROOT}/deno.json`, "--no-prompt", "--allow-env", file],
    env: { NO_COLOR: "1" },
  }).output();
  await Deno.remove(file);
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const printed = new TextDecoder().decode(stdout).trim().split("\n");
  const accuracy = Number(printed.at(-1)!.split(" ").at(-1));
  assert.ok(accuracy > 0.8, printed.join("\n"));
});

Deno.test("the README names every operation, in its table of changes and among the options", async () => {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const [, changes] = /## The idea([^]*?)\*\*Why it is exact/.exec(readme)!;
  for (const name of [...ACTIVATIONS, ...LOSSES]) {
    const word = name.split(" ")[0].replace("-", "[- ]");
    assert.match(changes, new RegExp(`^\\|[^|]*\\b${word}\\b`, "m"), name);
    assert.ok(readme.includes(`\`${name}\``), name);
  }
});

Deno.test("the README's NumPy lines write a file that gradient checks", async () => {
  if (!PYTHON) return;
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const [, lines] = /```python\n([^]*?)```/.exec(readme)!;
  const folder = await Deno.makeTempDir();
  await python(`
W1, b1, W2, b2 = np.ones((3, 2)), np.zeros(2), np.eye(2, 4), np.zeros(4)
x, t = np.random.rand(5, 3), np.eye(4)[[0, 1, 2, 3, 0]]
a = 1 / (1 + np.exp(-(x @ W1 + b1)))
y = np.exp(a @ W2 + b2)
d2 = (y / y.sum(1, keepdims=True) - t) / 5
d1 = d2 @ W2.T * a * (1 - a)
dW1, db1, dW2, db2 = x.T @ d1, d1.sum(0), a.T @ d2, d2.sum(0)
${lines.replace("mine.h5", `${folder}/mine.h5`)}`);
  const { code, stdout, stderr } = await cli("gradient", "--input", `${folder}/mine.h5`);
  await Deno.remove(folder, { recursive: true });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Every gradient is within 0\.001/);
});
