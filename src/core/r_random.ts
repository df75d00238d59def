/**
 * R's own random numbers, as R 3.6 and later draws them after `set.seed(n)`: Mersenne Twister,
 * normal numbers by inversion, samples by rejection, so that a program in R and ours start from one
 * network and see the same batches. Uniform numbers and samples are R's to the last bit, normal
 * numbers too but for one in 70,000 (see `nearestLog`).
 */

import { checkSample, checkSeed, type Random } from "./random.ts";

const N = 624, M = 397; // words of the twister's state, and its stride

/** Fixed-point logarithms carry so many bits behind the point. */
const BITS = 110n;
const ONE = 1n << BITS;

/** 2 atanh(a / b), which is log((b + a) / (b - a)), in fixed point. */
function logOfRatio(a: bigint, b: bigint): bigint {
  const t = (a * ONE) / b, square = (t * t) >> BITS;
  let sum = 0n;
  for (let power = t, n = 1n; power !== 0n; power = (power * square) >> BITS, n += 2n) {
    sum += power / n;
  }
  return 2n * sum;
}

const LOG_2 = logOfRatio(1n, 3n);

/**
 * The float64 nearest to log(x), for 0 < x < 1. JavaScript's logarithm may be off by a digit, and
 * normal numbers show it. The C library that R takes its own from (glibc) returns the nearest in all
 * but one of 10,000 cases.
 */
function nearestLog(x: number): number {
  const exponent = Math.floor(Math.log2(x));
  const one = 1n << 52n, mantissa = BigInt(x * 2 ** (52 - exponent));
  const log = logOfRatio(mantissa - one, mantissa + one) + BigInt(exponent) * LOG_2;
  return Number(log) / Number(ONE); // BigInts round to nearest, and a power of 2 divides exactly
}

/** c[0] + c[1] x + ... by Horner's rule, in the order of operations that R has. */
function polynomial(x: number, coefficients: readonly number[]): number {
  return coefficients.reduceRight((sum, c) => sum * x + c);
}

/** Rational approximations of the normal quantile: Wichura, algorithm AS 241 (PPND16), 1988. */
const CENTRE = {
  above: [
    3.3871328727963666080,
    133.14166789178437745,
    1971.5909503065514427,
    13731.693765509461125,
    45921.953931549871457,
    67265.770927008700853,
    33430.575583588128105,
    2509.0809287301226727,
  ],
  below: [
    1,
    42.313330701600911252,
    687.18700749205790830,
    5394.1960214247511077,
    21213.794301586595867,
    39307.895800092710610,
    28729.085735721942674,
    5226.4952788528545610,
  ],
};
const SHOULDER = {
  above: [
    1.42343711074968357734,
    4.63033784615654529590,
    5.76949722146069140550,
    3.64784832476320460504,
    1.27045825245236838258,
    0.241780725177450611770,
    0.0227238449892691845833,
    7.74545014278341407640e-4,
  ],
  below: [
    1,
    2.05319162663775882187,
    1.67638483018380384940,
    0.689767334985100004550,
    0.148103976427480074590,
    0.0151986665636164571966,
    5.47593808499534494600e-4,
    1.05075007164441684324e-9,
  ],
};
const TAIL = {
  above: [
    6.65790464350110377720,
    5.46378491116411436990,
    1.78482653991729133580,
    0.296560571828504891230,
    0.0265321895265761230930,
    0.00124266094738807843860,
    2.71155556874348757815e-5,
    2.01033439929228813265e-7,
  ],
  below: [
    1,
    0.599832206555887937690,
    0.136929880922735805310,
    0.0148753612908506148525,
    7.86869131145613259100e-4,
    1.84631831751005468180e-5,
    1.42151175831644588870e-7,
    2.04426310338993978564e-15,
  ],
};

/** The standard normal number below which a share of p lies. */
function normalQuantile(p: number): number {
  const ratio = ({ above, below }: typeof CENTRE, r: number) =>
    polynomial(r, above) / polynomial(r, below);
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const { above, below } = CENTRE, r = 0.180625 - q * q;
    return q * polynomial(r, above) / polynomial(r, below);
  }
  const r = Math.sqrt(-nearestLog(q < 0 ? p : 1 - p));
  const distance = r <= 5 ? ratio(SHOULDER, r - 1.6) : ratio(TAIL, r - 5);
  return q < 0 ? -distance : distance;
}

/** R's default generator: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 1998. */
export class RRandom implements Random {
  readonly name = "r";
  /** The next word's place, and the twister's 624 words, as in R's `.Random.seed`. */
  state: Uint32Array;

  /** @throws {RangeError} when the seed is no 32-bit unsigned integer. */
  constructor(seed: number) {
    checkSeed(seed);
    const next = (word: number) => (Math.imul(69069, word) + 1) >>> 0;
    for (let i = 0; i < 50; i++) seed = next(seed);
    this.state = Uint32Array.from({ length: N + 1 }, () => seed = next(seed));
    this.state[0] = N;
  }

  #next(): number {
    const { state } = this, words = state.subarray(1);
    if (state[0] >= N) {
      for (let i = 0; i < N; i++) {
        const y = (words[i] & 0x80000000) | (words[(i + 1) % N] & 0x7fffffff);
        words[i] = words[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      state[0] = 0;
    }
    let y = words[state[0]++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  uniform(): number {
    const value = this.#next() * 2.3283064365386963e-10; // 2^-32
    const least = 0.5 * 2.328306437080797e-10; // half of 1 / (2^32 - 1): R never returns 0 or 1
    return Math.min(Math.max(value, least), 1 - least);
  }

  normal(): number {
    const big = 2 ** 27; // one uniform number has too few bits for inversion
    const high = Math.floor(big * this.uniform());
    return normalQuantile((high + this.uniform()) / big);
  }

  /** R fills matrices column by column. */
  normalMatrix(rows: number, columns: number): Float64Array { // [rows, columns]
    const matrix = new Float64Array(rows * columns);
    for (let j = 0; j < columns; j++) {
      for (let i = 0; i < rows; i++) matrix[i * columns + j] = this.normal();
    }
    return matrix;
  }

  /** A whole number from 0 to `below - 1`: as many random bits as it has, till they are below. */
  #below(below: number): number {
    const bits = Math.ceil(Math.log2(below));
    for (;;) {
      let value = 0;
      for (let n = 0; n <= bits; n += 16) {
        value = 65536 * value + Math.floor(65536 * this.uniform());
      }
      value %= 2 ** bits;
      if (value < below) return value;
    }
  }

  sample(population: number, size: number): Uint32Array {
    checkSample(population, size);
    if (population > 1e7) {
      throw new RangeError(
        `Cannot draw from ${population} samples as R does: above 10,000,000 R draws otherwise; ` +
          `use another generator`,
      );
    }
    // R moves the last of those left into each gap; only entries that were moved are held.
    const moved = new Map<number, number>();
    const drawn = new Uint32Array(size);
    for (let i = 0; i < size; i++) {
      const last = population - i - 1, j = this.#below(population - i);
      drawn[i] = moved.get(j) ?? j;
      moved.set(j, moved.get(last) ?? last);
    }
    return drawn;
  }
}
