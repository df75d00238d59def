/**
 * The yardstick of the copies engine: a plain float32 matrix product of the shape that its copies
 * are, as fast as this adapter computes it. Two kernels are tried, one that suits hardware and one
 * that suits software adapters, and the faster is taken.
 */

import blocks from "../../shaders/bench/product_blocks.wgsl" with { type: "text" };
import tiles from "../../shaders/bench/product_tiles.wgsl" with { type: "text" };
import type { Command, Gpu } from "../gpu/device.ts";
import { command } from "../gpu/kernel.ts";
import { Xoshiro } from "../mod.ts";
import { WrongResult } from "./measurement.ts";

/** The kernels, with the rows and columns of a workgroup. */
const KERNELS = [
  { kernel: { name: "product_tiles", code: tiles }, rows: 64, columns: 64 },
  { kernel: { name: "product_blocks", code: blocks }, rows: 20, columns: 224 },
];

/** Columns of the product, if not tried out only: a multiple of both kernels'. */
const COLUMNS = 8064;

/** Columns whose sums are checked. */
const CHECKED_COLUMNS = 20;

/** A product C = A B of random matrices on the device. */
export class Product {
  readonly #gpu: Gpu;
  readonly #rows: number;
  readonly #terms: number;
  readonly #columns: number;
  readonly #a: Float32Array; // transposed: [terms, padded rows]
  readonly #b: Float32Array; // [terms, columns]
  /** The right factor on the device. */
  readonly b: GPUBuffer; // [terms, columns]
  readonly #c: GPUBuffer; // [rows, columns]
  readonly #commands: Command[];
  readonly #padded: number;
  #fastest: Command;

  constructor(gpu: Gpu, rows: number, terms: number, smoke: boolean) {
    this.#gpu = gpu;
    this.#rows = rows;
    this.#terms = terms;
    const columns = this.#columns = smoke ? COLUMNS / 18 : COLUMNS;
    const wholes = KERNELS.map((kernel) => Math.ceil(rows / kernel.rows) * kernel.rows);
    const padded = this.#padded = Math.max(...wholes); // a multiple of 4, room for both
    const random = new Xoshiro(3);
    this.#a = new Float32Array(terms * padded);
    for (let i = 0; i < this.#a.length; i++) {
      if (i % padded < rows) this.#a[i] = random.uniform();
    }
    this.#b = Float32Array.from({ length: terms * columns }, () => random.uniform() - 0.5);
    this.#c = gpu.buffer("product", 4 * rows * columns);
    this.b = gpu.upload("b", this.#b);
    const buffers = { a: gpu.upload("a", this.#a), b: this.b, c: this.#c };
    this.#commands = KERNELS.map((kernel) =>
      command(
        gpu,
        kernel.kernel,
        [columns / kernel.columns, Math.ceil(rows / kernel.rows)],
        buffers,
        { TERMS: terms, ROWS: rows, ROW_QUADS: padded / 4, COLUMN_QUADS: columns / 4 },
        {},
        this.work,
      )
    );
    this.#fastest = this.#commands[0];
  }

  /** Multiply-adds of one product. */
  get work(): number {
    return this.#rows * this.#terms * this.#columns;
  }

  /** The kernel that was the fastest. */
  get kernel(): string {
    return this.#fastest.label;
  }

  /** Milliseconds of so many products by the fastest kernel, read-back included. */
  time(times: number): Promise<number> {
    return this.#time(this.#fastest, times);
  }

  async #time(product: Command, times: number): Promise<number> {
    const started = performance.now();
    this.#gpu.run([product], times);
    await this.#gpu.read(this.#c, 4);
    return performance.now() - started;
  }

  /** Tries every kernel, and goes on with the fastest. */
  async choose(): Promise<void> {
    const times = [];
    for (const product of this.#commands) {
      await this.#time(product, 1); // compiled on the way
      times.push(Math.min(await this.#time(product, 2), await this.#time(product, 2)));
    }
    this.#fastest = this.#commands[times.indexOf(Math.min(...times))];
  }

  /**
   * Checks sums of every kernel against float64: they may err by (K + 1) units of rounding times
   * the sum of the K products' magnitudes (Higham, "Accuracy and Stability of Numerical
   * Algorithms", 2002, section 3.1).
   * @throws {WrongResult} with the kernel and the first sum that is further off.
   */
  async check(): Promise<string> {
    let worst = 0; // as a share of what is allowed
    for (const product of this.#commands) {
      this.#gpu.write(this.#c, new Float32Array(this.#rows * this.#columns).fill(NaN));
      this.#gpu.run([product]);
      const c = new Float32Array(await this.#gpu.read(this.#c));
      for (let n = 0; n < this.#columns; n += Math.ceil(this.#columns / CHECKED_COLUMNS)) {
        for (let m = 0; m < this.#rows; m++) {
          let sum = 0, magnitude = 0;
          for (let k = 0; k < this.#terms; k++) {
            const term = this.#a[k * this.#padded + m] * this.#b[k * this.#columns + n];
            sum += term;
            magnitude += Math.abs(term);
          }
          const allowed = (this.#terms + 1) * 2 ** -24 * magnitude;
          const share = Math.abs(c[m * this.#columns + n] - sum) / allowed;
          if (!(share <= 1)) {
            throw new WrongResult(
              `the product of ${product.label} is wrong: ${c[m * this.#columns + n]} instead of ` +
                `${sum} at [${m},${n}]`,
            );
          }
          worst = Math.max(worst, share);
        }
      }
    }
    return `products within ${worst.toFixed(3)} of float32's error bound`;
  }
}
