/**
 * Seeded random numbers: the one source of every weight and every batch.
 *
 * Everything random in a run comes out of one `Random`, drawn on the host in a fixed order, so
 * that a seed means the same weights and the same batches on every backend.
 */

/** A seeded stream of random draws. Its `state` can be saved and put back to continue the stream. */
export interface Random {
  /** The generator's name, as `--rng` spells it. */
  readonly name: string;
  /** Next uniform number, strictly between 0 and 1. */
  uniform(): number;
  /** Next standard normal number. */
  normal(): number;
  /** Standard normal numbers, row-major, drawn in the order in which the generator fills rows. */
  normalMatrix(rows: number, columns: number): Float64Array; // [rows, columns]
  /**
   * `size` different indices from 0 to `population - 1`, in random order.
   * @throws {RangeError} when `size` is larger than `population`.
   */
  sample(population: number, size: number): Uint32Array;
  /** Everything needed to continue the stream, as 32-bit words. */
  state: Uint32Array;
}

/** Refuses a seed that is no 32-bit unsigned integer. */
export function checkSeed(seed: number): void {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new RangeError(`Cannot seed with ${seed}: a seed is a whole number from 0 to 4294967295`);
  }
}

/** Refuses to draw more indices without replacement than there are. */
export function checkSample(population: number, size: number): void {
  if (size > population) {
    throw new RangeError(
      `Cannot draw ${size} different samples: there are only ${population}; use a smaller batch`,
    );
  }
}

/**
 * The default generator: xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", ACM TOMS 2021), seeded by splitmix32, with Box and Muller's normal numbers.
 */
export class Xoshiro implements Random {
  readonly name = "xoshiro";
  /** The four words of xoshiro128**. */
  state: Uint32Array;

  /** @throws {RangeError} when the seed is no 32-bit unsigned integer. */
  constructor(seed: number) {
    checkSeed(seed);
    this.state = new Uint32Array(4);
    let z = seed;
    for (let i = 0; i < 4; i++) { // splitmix32: four well-mixed words, never all zero
      z = (z + 0x9e3779b9) | 0;
      let t = z ^ (z >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      this.state[i] = t ^ (t >>> 15);
    }
  }

  /** Next 32 random bits. */
  #next(): number {
    const s = this.state;
    const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k));
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11);
    return result;
  }

  uniform(): number {
    return (this.#next() + 0.5) / 0x100000000;
  }

  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  normalMatrix(rows: number, columns: number): Float64Array {
    return Float64Array.from({ length: rows * columns }, () => this.normal());
  }

  /** A whole number from 0 to `below - 1`, without bias (rejects the incomplete last interval). */
  #below(below: number): number {
    const limit = 0x100000000 - (0x100000000 % below);
    let bits = this.#next();
    while (bits >= limit) bits = this.#next();
    return bits % below;
  }

  sample(population: number, size: number): Uint32Array {
    checkSample(population, size);
    // Fisher and Yates's shuffle, holding only the entries that were moved: a step of 100 out of
    // 60,000 must not touch 60,000 numbers.
    const moved = new Map<number, number>();
    const drawn = new Uint32Array(size);
    for (let i = 0; i < size; i++) {
      const j = i + this.#below(population - i);
      drawn[i] = moved.get(j) ?? j;
      moved.set(j, moved.get(i) ?? i);
    }
    return drawn;
  }
}

/** What `random` will sample next, left undrawn. */
export function nextSample(random: Random, population: number, size: number): Uint32Array {
  const state = random.state.slice(), sample = random.sample(population, size);
  random.state = state;
  return sample;
}
