/** Checks of a part of a gradient: what is drawn, what it may miss, and what directions see. */

import assert from "node:assert/strict";
import { createNetwork, parameterTensors } from "../src/core/network.ts";
import { Xoshiro } from "../src/core/random.ts";
import { examine } from "../src/method/checked.ts";
import { allot, chanceMissed, chanceUnseen, drawFrom } from "../src/method/sample.ts";
import { foreignGradient } from "./foreign.ts";
import { freshParameters, randomSamples } from "./support.ts";

Deno.test("a number is shared out among those that take it, as evenly as they can", () => {
  assert.deepEqual(allot(10, [100, 100]), [5, 5]);
  assert.deepEqual(allot(10, [2, 100, 100]), [2, 4, 4]);
  assert.deepEqual(allot(10, [2, 0, 3]), [2, 0, 3]);
  assert.deepEqual(allot(2, [5, 5, 5]), [1, 1, 0]);
  assert.deepEqual(allot(0, [5]), [0]);
});

Deno.test("elements are drawn by seed, each once, from large ones and small ones alike", () => {
  const theirs = Float64Array.from({ length: 1000 }, (_, i) => i % 2 === 0 ? 0 : i * (i % 3 - 1));
  const { groups } = drawFrom(theirs, new Xoshiro(1));
  assert.deepEqual(drawFrom(theirs, new Xoshiro(1)), { groups });
  assert.notDeepEqual(drawFrom(theirs, new Xoshiro(2)), { groups });
  const all = groups.flatMap(({ places }) => [...places]);
  assert.equal(new Set(all).size, 1000);
  assert.ok(groups[0].size <= 20 && groups[0].size > 0); // the largest hundredth, and its equals
  const least = Math.min(...Array.from(groups[0].places, (place) => Math.abs(theirs[place])));
  const next = Math.max(...Array.from(groups[1].places, (place) => Math.abs(theirs[place])));
  assert.ok(least >= next, `${least} ${next}`);
});

Deno.test("the chance that wrong elements are missed is what drawing them gives", () => {
  assert.equal(chanceMissed(10, 10, 1), 0);
  assert.equal(chanceMissed(10, 4, 1), 0.6);
  assert.ok(Math.abs(chanceMissed(10, 4, 2) - 0.6 * 5 / 9) < 1e-15);
  assert.equal(chanceMissed(10, 4, 7), 0); // six can hide
  const random = new Xoshiro(3), runs = 20_000;
  let missed = 0;
  for (let run = 0; run < runs; run++) {
    const wrong = new Set(random.sample(50, 3));
    if (![...random.sample(50, 12)].some((place) => wrong.has(place))) missed++;
  }
  const chance = chanceMissed(50, 12, 3), deviation = Math.sqrt(chance * (1 - chance) / runs);
  assert.ok(Math.abs(missed / runs - chance) < 5 * deviation, `${missed / runs} ${chance}`);
  // A normal number is within a tenth of its deviation 7.97% of the time.
  assert.ok(Math.abs(chanceUnseen(10, 1) - 0.0796557) < 1e-6);
  assert.ok(Math.abs(chanceUnseen(10, 4) - 0.0796557 ** 4) < 1e-8);
  assert.equal(chanceUnseen(0, 4), 1);
});

const network = createNetwork({
  inputs: 60,
  hidden: [40, 12],
  classes: 4,
  activation: "relu",
  epsilon: 0,
});
const samples = randomSamples(8, network), parameters = freshParameters(network);
const right = foreignGradient(network, parameters, samples).gradient;

/** The gradient with something added to some elements of W1. */
function wrongBy(amount: number, places: Uint32Array) {
  const gradient = right.slice();
  for (const place of places) gradient[place] += amount;
  return new Map(
    parameterTensors(network).map(({ name, offset, size }) =>
      [name, gradient.slice(offset, offset + size)] as const
    ),
  );
}
const none = Uint32Array.of();

Deno.test("so many elements are checked, and what is said of the rest is true", async () => {
  const check = (seed: number, gradients = wrongBy(0, none)) =>
    examine({ network, parameters, samples, gradients, elements: 120, seed });
  const report = await check(1);
  assert.ok(report.ok, report.text());
  const { tensors } = report;
  assert.equal(tensors.reduce((sum, { checked }) => sum + checked, 0), 120);
  for (const { name, checked, size, missed, directions } of tensors) {
    if (checked === size) {
      assert.deepEqual(missed, { 1: 0, 10: 0, 100: 0 }, name);
      continue;
    }
    assert.ok(missed[1] === (size - checked) / size && missed[10] < missed[1], name);
    assert.deepEqual(directions, { count: 4, wrong: 0 }, name);
  }
  assert.match(report.text(), /checked .*\n.*W1 .* \d+ of 2400 .*right/);
  assert.match(report.text(), /1 wrong +10 +100 +directions/);
  assert.deepEqual((await check(1)).tensors, tensors);
  assert.notDeepEqual((await check(2)).tensors, tensors);

  // Wrong elements of no norm to speak of are found as often as it says: by elements alone.
  const rms = Math.sqrt(right.subarray(0, 2400).reduce((sum, g) => sum + g * g, 0) / 2400);
  let found = 0;
  const runs = 60, chance = 1 - chanceMissed(2400, tensors[0].checked, 100);
  for (let seed = 0; seed < runs; seed++) {
    const places = new Xoshiro(100 + seed).sample(2400, 100);
    // 100 errors of 1/250 of the root mean square are a norm of 1/1200: below what directions see.
    const { tensors: [row] } = await check(seed, wrongBy(rms / 250, places));
    if (row.wrong > 0) found++;
  }
  // Elements are drawn by size and errors lie anywhere, so that the count is binomial. (Where an
  // element is large, the error is within its own tolerance: some fewer than said may be found.)
  const deviation = Math.sqrt(runs * chance * (1 - chance));
  assert.ok(Math.abs(found - runs * chance) < 4 * deviation + 0.1 * runs, `${found}, ${chance}`);
});

Deno.test("directions see an error that no element that was looked at shows", async () => {
  const norm = Math.sqrt(right.subarray(0, 2400).reduce((sum, g) => sum + g * g, 0));
  let unseen = 0, hidden = 0;
  for (let seed = 0; seed < 20; seed++) {
    const places = new Xoshiro(seed).sample(2400, 1);
    const gradients = wrongBy(0.02 * norm, places);
    const report = await examine({ network, parameters, samples, gradients, elements: 60, seed });
    const [row] = report.tensors;
    if (row.wrong === 0) hidden++;
    if (row.verdict !== "off") unseen++;
    else if (row.wrong === 0) assert.match(report.text(), /off along \d of 4 random directions/);
  }
  assert.ok(hidden > 10, `${hidden} of 20 errors are in no element that was looked at`);
  assert.equal(unseen, 0); // each with a chance of (4%)^4
});

Deno.test("with a budget as much is checked as there is time for", async () => {
  const gradients = wrongBy(0, none);
  const all = await examine({ network, parameters, samples, gradients, budget: 600 });
  assert.ok(all.ok && all.tensors.every(({ checked, size }) => checked === size), all.text());
  const least = await examine({ network, parameters, samples, gradients, budget: 1e-6 });
  assert.ok(least.ok && least.tensors.every(({ checked }) => checked > 0), least.text());
  assert.ok(least.tensors.some(({ checked, size }) => checked < size));
  for (
    const [wrong, message] of [[{ budget: 0 }, /for 0 seconds/], [
      { elements: 0.5 },
      /0\.5/,
    ]] as const
  ) {
    await assert.rejects(examine({ network, parameters, samples, gradients, ...wrong }), message);
  }
});
