/**
 * One small network evaluated three ways: in float64, in float32 as the textbook says, and in
 * float32 as exact changes. The page's figure, and its proof.
 */

/** The tutorial's first network: two inputs, three classes, no bias. */
export const X = [0.6, 0.9] as const;
export const TARGET = 2;
export const TUTORIAL_WEIGHTS = [
  0.47355232,
  0.9977393,
  0.84668094,
  0.85557411,
  0.03563661,
  0.69422093,
] as const; // [2, 3]
const CLASSES = 3;

/** Rounds as the arithmetic in question does. */
type Rounding = (value: number) => number;
const exact: Rounding = (value) => value;

/** The classes' logits, every operation rounded. */
function logits(w: readonly number[], round: Rounding): number[] {
  return [0, 1, 2].map((k) =>
    round(
      round(round(X[0]) * round(w[k])) + round(round(X[1]) * round(w[CLASSES + k])),
    )
  );
}

/** The loss, the negative logarithm of the right class's share, every operation rounded. */
export function loss(w: readonly number[], round: Rounding = exact): number {
  const z = logits(w, round), largest = Math.max(...z);
  const powers = z.map((value) => round(Math.exp(round(value - largest))));
  const total = powers.reduce((sum, power) => round(sum + power), 0);
  return round(-round(Math.log(round(powers[TARGET] / total))));
}

/** The classes' shares. */
export function shares(w: readonly number[]): number[] { // [classes]
  const z = logits(w, exact), largest = Math.max(...z);
  const powers = z.map((value) => Math.exp(value - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** How much the loss changes when one weight moves by d: evaluated as a change, never subtracted. */
export function change(w: readonly number[], index: number, d: number, round: Rounding): number {
  const z = logits(w, round), largest = Math.max(...z);
  const powers = z.map((value) => round(Math.exp(round(value - largest))));
  const total = powers.reduce((sum, power) => round(sum + power), 0);
  const k = index % CLASSES;
  const dz = round(round(d) * round(X[Math.floor(index / CLASSES)])); // its class's logit alone
  // L = -log p[t]; its change is log(1 + v), v the sum over k of p[k] (exp(d[k] - d[t]) - 1).
  const others = round(1 - round(powers[TARGET] / total));
  const v = k === TARGET
    ? round(others * round(Math.expm1(-dz)))
    : round(round(powers[k] / total) * round(Math.expm1(dz)));
  return round(Math.log1p(v));
}

const moved = (w: readonly number[], index: number, d: number, round: Rounding) =>
  w.map((value, i) => i === index ? round(round(value) + round(d)) : value);

/** The central difference along one weight, three ways. */
export function slopes(w: readonly number[], index: number, h: number) {
  const plain = (round: Rounding) => {
    const difference = round(
      loss(moved(w, index, h, round), round) - loss(moved(w, index, -h, round), round),
    );
    return difference / (2 * h);
  };
  const changes = (round: Rounding) =>
    round(change(w, index, h, round) - change(w, index, -h, round)) / (2 * h);
  return { exact: changes(exact), plain: plain(Math.fround), changes: changes(Math.fround) };
}

/** The central differences along all weights, in float64: what downhill is away from. */
export const gradient = (w: readonly number[], h: number): number[] =>
  w.map((_, index) => slopes(w, index, h).exact);

/** The numbers between a nudge and the slope, three ways, for a weight into a class that is wrong. */
export function worked(w: readonly number[], index: number, h: number) {
  const losses = (round: Rounding) =>
    [h, -h].map((d) => loss(moved(w, index, d, round), round)) as [up: number, down: number];
  const p = shares(w)[index % CLASSES], d = h * X[Math.floor(index / CLASSES)];
  return {
    float64: losses(exact),
    float32: losses(Math.fround),
    changes: [h, -h].map((d) => change(w, index, d, Math.fround)) as [up: number, down: number],
    identity: { p, d, v: p * Math.expm1(d) },
  };
}
