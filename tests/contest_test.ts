import assert from "node:assert/strict";
import { type Contestant, CONTESTANTS } from "../src/contest/contestants.ts";
import { hold, type Result, standingsOf, tableOf } from "../src/contest/contest.ts";
import { drawDigits } from "../src/data/digits.ts";
import { assertClose, cli } from "./support.ts";

const RULES = { steps: 2, batch: 10, validation: 50, choosing: 100, seeds: [1, 2] };
const field = (contestants: readonly Contestant[]) => ({
  data: { digits: () => Promise.resolve(drawDigits({ seed: 1, train: 200, test: 50 })) },
  networks: [[3]],
  contestants,
});
const HOW = { backend: "cpu", tell: () => {} } as const;

async function held(contestants: readonly Contestant[], known: readonly Result[] = []) {
  const results: Result[] = [];
  let taken = 0;
  for await (const { result, isNew } of hold(field(contestants), RULES, known, HOW)) {
    results.push(result);
    if (isNew) taken++;
  }
  return { results, taken };
}

Deno.test("all contestants have as many settings to choose from", () => {
  assert.deepEqual(CONTESTANTS.map(({ settings }) => settings.length), CONTESTANTS.map(() => 6));
});

Deno.test("a contest: choices, then seeds that are paired, and nothing is taken twice", async () => {
  const [central] = CONTESTANTS;
  const twins = ["one", "other"].map((name) => ({ ...central, name }));
  const { results, taken } = await held(twins);
  assert.equal(taken, 2 * (6 + 2));
  const of = (name: string, stage: string) =>
    results.filter((run) => run.contestant === name && run.stage === stage);
  // The same weights and the same batches: the same method comes to the same accuracies.
  const accuracies = (name: string) => of(name, "final").map(({ accuracy }) => accuracy);
  assert.deepEqual(accuracies("one"), accuracies("other"));
  const best = Math.max(...of("one", "choice").map(({ accuracy }) => accuracy));
  const chosen = of("one", "choice").find(({ accuracy }) => accuracy === best)!;
  for (const run of of("one", "final")) assert.deepEqual(run.setting, chosen.setting);
  assert.deepEqual(of("one", "final").map(({ seed }) => seed), RULES.seeds);
  // What was written goes on, whatever JSON has made of it.
  const half = JSON.parse(JSON.stringify(results.slice(0, 7)));
  const again = await held(twins, half);
  assert.equal(again.taken, results.length - 7);
  const bare = ({ seconds: _, ...rest }: Result) => rest;
  assert.deepEqual(again.results.map(bare), results.map(bare));
});

Deno.test("standings by hand", () => {
  const run = (contestant: string, seed: number, accuracy: number): Result => ({
    data: "mnist",
    network: "784-128-10",
    hidden: [128],
    contestant,
    stage: "final",
    setting: { lr: 0.01, h: 1 },
    seed,
    accuracy,
    seconds: 2 * seed,
    steps: 1,
    batch: 1,
    validation: 1,
    adapter: "",
  });
  const [ours, , worse, better] = CONTESTANTS.map(({ name }) => name);
  const results = [
    ...[run(ours, 1, 0.97), run(ours, 2, 0.98), run(ours, 3, 0.96)],
    ...[run(better, 1, 0.96), run(better, 2, 0.98), run(better, 3, 0.97)],
    ...[run(worse, 1, 0.5), { ...run(worse, 1, 1), stage: "choice" as const }],
  ];
  const standings = standingsOf(results, CONTESTANTS);
  assert.deepEqual(standings.map(({ contestant }) => contestant), [ours, worse, better]);
  const [first, second, third] = standings;
  assertClose([first.mean, first.deviation, first.seconds], [0.97, 0.01, 4], 1e-12);
  // Paired differences 0.01, 0 and -0.01: their deviation is 0.01, over the root of 3.
  assertClose([first.ahead!.mean, first.ahead!.error], [0, 0.01 / Math.sqrt(3)], 1e-9, 1e-15);
  assertClose([second.mean, second.ahead!.mean], [0.5, -0.46], 1e-12);
  assert.equal(third.ahead, undefined);
  const table = tableOf(standings);
  assert.equal(table.length, 5);
  assert.match(table[2], /lr 0\.01, h 1 \| 97\.00% \| ± 1\.00 \| .0\.00 ± 0\.58 \| 4\.0 \|$/);
});

Deno.test("the command goes on where it was stopped, even within a line", async () => {
  const folder = await Deno.makeTempDir(), path = `${folder}/contest.jsonl`;
  const args = ["contest", "--smoke", "--backend", "cpu", "--results", path, "--json"];
  const only = ["--only", "straight-through, clipped", "--only", "relu, backprop", "--only", "4"];
  const whole = await cli(...args, ...only);
  assert.equal(whole.code, 0, whole.stderr);
  const lines = (await Deno.readTextFile(path)).trim().split("\n");
  assert.equal(lines.length, 2 * (6 + 2));
  await Deno.writeTextFile(path, lines.slice(0, 5).join("\n") + "\n" + lines[5].slice(0, 30));
  const rest = await cli(...args, ...only);
  assert.equal(rest.stderr.match(/accuracy/g)!.length, lines.length - 5, rest.stderr);
  const after = (await Deno.readTextFile(path)).trim().split("\n");
  assert.deepEqual(after.slice(0, 5), lines.slice(0, 5));
  const bare = (text: string) => text.replaceAll(/"seconds":[\d.e-]+/g, "");
  assert.equal(bare(after.join("\n")), bare(lines.join("\n")));
  assert.equal(bare(rest.stdout), bare(whole.stdout));
  await Deno.writeTextFile(path, "{}\n");
  const bad = await cli(...args);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /its line 1 is no result of a contest/);
  const misspelt = await cli("contest", "--only", "mnst", "--results", `${folder}/other.jsonl`);
  assert.equal(misspelt.code, 2);
  assert.match(misspelt.stderr, /did you mean mnist\?/);
  await Deno.remove(folder, { recursive: true });
});
