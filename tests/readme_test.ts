import assert from "node:assert/strict";
import { ROOT } from "./support.ts";

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
