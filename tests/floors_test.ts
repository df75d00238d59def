import assert from "node:assert/strict";
import { ROOT } from "./support.ts";

/** The floors: a file imports only from its own folder and from lower floors. */
const FLOORS: Record<string, number> = {
  "operations": 0,
  "core": 1,
  "data": 2,
  "engine.ts": 3,
  "cpu": 4,
  "gpu": 4,
  "method": 5,
  "backend.ts": 6,
  "check.ts": 6,
  "mod.ts": 7,
  "nats": 7,
  "node.ts": 8,
  "bench": 8,
  "contest": 8,
  "cli": 9,
};

Deno.test("imports point only downward, and only the entries use Deno", async () => {
  let files = 0;
  const check = async (place: string, name: string) => {
    if (!name.endsWith(".ts")) return; // pages for people lie beside
    files++;
    const path = name === place ? name : `${place}/${name}`;
    const code = await Deno.readTextFile(`${ROOT}/src/${path}`);
    if (place !== "cli") assert.doesNotMatch(code, /\bDeno\./, path);
    for (const [, specifier] of code.matchAll(/from "(\.[^"]+\.ts)"/g)) {
      const [target] = new URL(specifier, `file:///${path}`).pathname.slice(1).split("/");
      if (target === place) continue;
      assert.ok(target in FLOORS, `${path} imports ${specifier}`);
      const down = FLOORS[target] < FLOORS[place];
      assert.ok(down, `${path} imports ${specifier}, which is not below it`);
    }
  };
  for await (const { name, isFile } of Deno.readDir(`${ROOT}/src`)) {
    assert.ok(name in FLOORS, `src/${name} has no floor`);
    if (isFile) await check(name, name);
    else {
      for await (const file of Deno.readDir(`${ROOT}/src/${name}`)) await check(name, file.name);
    }
  }
  assert.ok(files > 40);
});
