import assert from "node:assert/strict";
import { ROOT } from "./support.ts";

/** The floors: a file imports only from its own folder and from lower floors. */
const FLOORS: Record<string, number> = {
  core: 0,
  data: 1,
  "": 2,
  cpu: 3,
  gpu: 3,
  method: 4,
  cli: 5,
};

Deno.test("imports point only downward, and only the entries use Deno", async () => {
  let files = 0;
  for (const [folder, floor] of Object.entries(FLOORS)) {
    for await (const { name, isFile } of Deno.readDir(`${ROOT}/src/${folder}`)) {
      if (!isFile || !name.endsWith(".ts")) continue;
      files++;
      const code = await Deno.readTextFile(`${ROOT}/src/${folder}/${name}`);
      if (folder !== "cli") assert.doesNotMatch(code, /\bDeno\./, `${folder}/${name}`);
      for (const [, path] of code.matchAll(/from "(\.[^"]+\.ts)"/g)) {
        const url = new URL(path, `file:///src/${folder ? folder + "/" : ""}${name}`).pathname;
        const target = url.split("/").slice(2, -1).join("/");
        if (target === folder) continue;
        assert.ok(target in FLOORS, `${name} imports ${path}`);
        const down = FLOORS[target] < floor;
        assert.ok(down, `${folder}/${name} imports ${path}, which is not below it`);
      }
    }
  }
  assert.ok(files > 20);
});
