/**
 * Every operation: its exact change against the difference of its values in exact arithmetic, what
 * kernels and plans rely on, and its WGSL on a device against float64, over one grid.
 */

import assert from "node:assert/strict";
import { compose } from "../src/gpu/shaders.ts";
import type { Activation } from "../src/operations/activation.ts";
import { activationOf, activations, losses } from "../src/operations/registry.ts";
import { normal } from "../src/operations/gelu-exact.ts";
import { sigmoid } from "../src/operations/special.ts";
import { DEFINITIONS, exact, RELATIVES } from "./definitions.ts";
import { gpuTest } from "./support.ts";

type Name = keyof typeof DEFINITIONS;

/** Which place an exponential is taken of, so that a rounding there is as many in the result. */
const ARGUMENTS: Partial<Record<Name, (z: number) => number>> = {
  sigmoid: (z) => z,
  tanh: (z) => 2 * z,
  elu: (z) => Math.min(z, 0),
  "elu 1.5": (z) => Math.min(z, 0),
  softplus: (z) => z,
  silu: (z) => z,
  "gelu exact": (z) => z * z / 2,
  gelu: (z) => {
    const near = Math.max(-30, Math.min(z, 30));
    return 1.6 * (near + 0.045 * near ** 3);
  },
};

/** Whether it is z times a function that goes from 0 to 1. */
const isGate = (name: Name) => ["silu", "gelu", "gelu exact"].includes(name);

const both = (values: number[]) => values.flatMap((value) => [value, -value]);
const KINKS = [0, 3, 6, 0.5, 1.25, 1.5, 2.5];
/** Inputs from nothing to saturation and far beyond, kinks and their neighbours, minima. */
const PLACES = [
  0,
  ...both([1e-20, 1e-8, 1e-3, 0.35, 0.7525, 1.2785, 2.4, 5, 9, 17, 30.5, 50, 100, 1000, 1e30]),
  ...both(KINKS.slice(1).flatMap((kink) => [kink, kink * (1 + 2 ** -20), kink * (1 - 2 ** -20)])),
];
const MOVES = both([
  ...[1e-20, 1e-8, 1e-4, 2 ** -12, 0.01, 0.3, 0.5, 1, 1.01, 3, 6, 7.3, 12, 40, 300, 2000, 1e30],
]);

/** Pairs (z, dz) of numbers that `round` leaves as they are; nudges to kinks and just past them. */
function grid(round: (x: number) => number): [number, number][] {
  return PLACES.flatMap((place) => {
    const z = round(place);
    const toKinks = [...KINKS, -0.5, -1.25, -2.5, -3].flatMap((
      kink,
    ) => [kink - z, (kink - z) * (1 + 2 ** -10)]);
    return [...MOVES, ...toKinks].map((dz): [number, number] => [z, round(dz)]);
  });
}

/**
 * How far a change may be from the exact one, in units of rounding: some operations' own, as many
 * more as an exponential's argument is large, where that was rounded; and for products z s(v), whose
 * change is two terms that may cancel, as many of these terms.
 */
function allowed(name: Name, z: number, dz: number, change: number): number {
  const after = z + dz, argument = ARGUMENTS[name];
  let roundings = 12, terms = Math.abs(change);
  if (argument) {
    const [before, behind] = [argument(z), argument(after)].map(Math.abs);
    const isRounded = name.startsWith("gelu") || Math.abs(dz) > 0.5;
    // Beyond 110 nothing is left of an exponential in either precision but what it saturates at.
    if (isRounded) roundings += 3 * Math.min(110, Math.max(before, behind));
    if (isGate(name)) {
      const [low, high] = z < after ? [z, after] : [after, z];
      const s = [low, high].map((place) =>
        name === "gelu exact" ? normal(place) : sigmoid(argument(place))
      );
      terms = Math.abs(dz) * s[0] + Math.abs(high) * (s[1] - s[0]) + Math.abs(change);
    }
  }
  return roundings * terms;
}

/**
 * The exact change, rounded once. What has thresholds is taken where z + dz is rounded to, as evaluation
 * has it.
 */
const exactChange = (name: Name, z: number, dz: number, round: (x: number) => number) => {
  const { states } = activationOf(name);
  const after = states ? exact(round(z + dz)) : exact(z).plus(exact(dz));
  return DEFINITIONS[name](after).minus(DEFINITIONS[name](exact(z))).toNumber();
};

/** Asserts changes over a grid, naming the worst. */
function assertChanges(
  name: Name,
  pairs: [number, number][],
  actual: (i: number) => number,
  unit: number,
  floor: number,
): void {
  let worst = 1, line = "";
  pairs.forEach(([z, dz], i) => {
    const expected = exactChange(name, z, dz, unit > 2 ** -30 ? Math.fround : (x) => x),
      change = actual(i);
    const bound = unit * allowed(name, z, dz, expected) + floor;
    const excess = Math.abs(change - expected) / bound;
    if (!(excess <= worst)) {
      worst = excess;
      line = `${name} at ${z}, moved by ${dz}: ${change} instead of ${expected}, ` +
        `${excess} times what rounding explains`;
    }
  });
  assert.equal(line, "");
}

const each = ([...Object.keys(activations), ...RELATIVES] as Name[])
  .map((name): [Name, Activation] => [name, activationOf(name)]);

for (const [name, f] of each) {
  Deno.test(`the exact change of ${name}, in float64`, () => {
    const pairs = grid((x) => x);
    const changes = pairs.map(([z, dz]) => f.change(f.activate(z), f.derivative(z), z, dz));
    assertChanges(name, pairs, (i) => changes[i], 2 ** -53, 1e-85);
  });

  Deno.test(`what kernels and plans rely on of ${name}`, () => {
    assert.equal(f.name, name);
    const [low, high] = f.range;
    for (const [z, dz] of grid((x) => x)) {
      const a = f.activate(z), change = f.change(a, f.derivative(z), z, dz);
      assert.ok(a >= low && a <= high, `${a} at ${z}`);
      if (f.states) assert.ok(f.states.values.includes(a), `${a} at ${z}`);
      else assert.ok(Math.abs(change) <= f.steepest * Math.abs(dz) * (1 + 1e-14), `${z} by ${dz}`);
      if (f.pieces) {
        const [from, to] = f.pieces.bounds(z), slope = f.pieces.slope(z);
        assert.ok(z >= from && z <= to, `${z} is outside of ${from} to ${to}`);
        assert.equal(f.derivative(z), slope);
        // Within the piece, the change is along its slope: half and all of the way to its ends.
        for (const end of [from, to].filter(Number.isFinite)) {
          for (const way of [end - z, (end - z) / 2]) {
            if (z + (end - z) !== end || end - (end - z) !== z) continue; // it is rounded
            const along = f.change(a, slope, z, way);
            assert.ok(
              Math.abs(along - slope * way) <= 4 * 2 ** -53 * Math.abs(slope * way),
              `${z} by ${way}: ${along}`,
            );
          }
        }
      }
    }
    // The derivative is that of the definition, by a small central difference: h^2 / 6 of a third
    // derivative below 10 is left out.
    for (const z of PLACES.filter((z) => Math.abs(z) < 50)) {
      if (f.states || (f.pieces && f.pieces.bounds(z).some((end) => Math.abs(end - z) < 1e-6))) {
        continue;
      }
      if (name.startsWith("elu") && Math.abs(z) < 1e-6) continue; // its derivative has a kink
      const h = exact(1e-12), d = DEFINITIONS[name];
      const slope = d(exact(z).plus(h)).minus(d(exact(z).minus(h))).div(h.mul(2)).toNumber();
      const distance = Math.abs(f.derivative(z) - slope);
      assert.ok(distance <= 1e-13 * (Math.abs(slope) + Math.exp(-Math.abs(z))), `${z}: ${slope}`);
    }
  });

  gpuTest(`${name} in WGSL against float64`, async (open) => {
    using gpu = await open();
    const pairs = grid(Math.fround), count = pairs.length, WIDTH = 12;
    const tiny = (dz: number) => Math.abs(dz) <= 2 ** -12;
    const code = compose(
      `#import activation
@group(0) @binding(0) var<storage, read> pairs: array<vec2f>; // (z, dz)
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&pairs)) {
    let z = vec4f(pairs[id.x].x);
    let dz = pairs[id.x].y;
    let a = activate(z);
    let c = derivative(z);
    let at = ${WIDTH}u * id.x;
    results[at] = a.x;
    results[at + 1u] = c.x;
    results[at + 2u] = change(a, c, z, vec4f(dz)).x;
    results[at + 3u] = tiny_change(tiny_unit(a, c, z), clamp(dz, -0.00024414062, 0.00024414062)).x;
    results[at + 4u] = farthest(abs(dz));
    results[at + 10u] = near_change(a, c, z, vec4f(clamp(dz, -NEAR_BY, NEAR_BY))).x;
    results[at + 11u] = NEAR_BY;
    ${
        f.pieces
          ? `results[at + 5u] = piece_slope(z).x;
    results[at + 6u] = piece_low(z).x;
    results[at + 7u] = piece_high(z).x;`
          : ""
      }
    ${
        f.states
          ? `results[at + 8u] = f32(STATES);
    results[at + 9u] = f32(state_of(z).x);`
          : ""
      }
  }
}`,
      { activation: name },
    );
    const module = gpu.device.createShaderModule({ code });
    const pipeline = gpu.device.createComputePipeline({ layout: "auto", compute: { module } });
    const buffers = [
      gpu.upload("pairs", Float32Array.from(pairs.flat())),
      gpu.buffer("results", 4 * WIDTH * count),
    ];
    const bindGroup = gpu.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    gpu.run([{
      kernel: name,
      label: name,
      pipeline,
      bindGroup,
      groups: [Math.ceil(count / 64)],
      work: 0,
    }]);
    const results = new Float32Array(await gpu.read(buffers[1], 4 * WIDTH * count));
    const row = (i: number) => results.subarray(WIDTH * i, WIDTH * (i + 1));

    // Our exponentials and logarithms are within 5 roundings, and end at e^-87, 1.7e-38; what is made
    // of one and z itself ends at 88 times that.
    const unit = 5 * 2 ** -24, floor = 1.5e-36;
    assertChanges(name, pairs, (i) => row(i)[2], unit, floor);
    const isTiny = pairs.filter(([, dz]) => tiny(dz));
    const places = pairs.flatMap(([, dz], i) => tiny(dz) ? [i] : []);
    // What its series leaves out is below dz^2, 2^-24 of the change.
    assertChanges(name, isTiny, (i) => row(places[i])[3], 2 * unit, floor);
    const near = pairs.flatMap(([, dz], i) => Math.abs(dz) <= row(i)[11] ? [i] : []);
    assertChanges(name, near.map((i) => pairs[i]), (i) => row(near[i])[10], unit, floor);
    pairs.forEach(([z, dz], i) => {
      const [a, c, change, , farthest, slope, low, high, count, state] = row(i);
      const close = (actual: number, expected: number, of: string) => {
        const distance = Math.abs(actual - expected);
        const argument = Math.min(110, Math.abs(ARGUMENTS[name]?.(z) ?? 0));
        const bound = unit * (2 + (name.startsWith("gelu") ? argument : 0)) * Math.abs(expected);
        // A derivative of z s(v) is s + z s', which cancel at the minimum.
        const rest = of === "derivative" && isGate(name)
          ? 4 * unit * (1 + argument) * Math.exp(-argument / 2)
          : 0;
        assert.ok(distance <= bound + rest + floor, `${of} at ${z}: ${actual}, not ${expected}`);
      };
      close(a, f.activate(z), "value");
      close(c, f.derivative(z), "derivative");
      assert.ok(Math.abs(change) <= farthest * (1 + 2 ** -20), `${z} by ${dz}: ${farthest}`);
      if (f.pieces) {
        const bounded = f.pieces.bounds(z).map((end) => Math.max(-3e38, Math.min(end, 3e38)));
        assert.deepEqual(
          [slope, low, high],
          [f.pieces.slope(z), ...bounded].map(Math.fround),
          `at ${z}`,
        );
      }
      if (f.states) {
        assert.deepEqual([count, state], [f.states.values.length, f.states.of(z)], `at ${z}`);
      }
    });
  });
}

Deno.test("losses are what their names say", () => {
  for (const [name, loss] of Object.entries(losses)) assert.equal(loss.name, name);
});
