/** What may be wrong with a device. */

/** What a device is not trusted for. */
export class WrongNumbers extends Error {
  /** What is off, and by how much. */
  readonly reason: string;

  /** @param where the tensor, and the kernel. */
  constructor(adapter: string, where: string) {
    const reason = `${adapter} computes wrong numbers: ${where}`;
    super(`Cannot use WebGPU: ${reason}; use --backend cpu, and report what "parity" says`);
    this.reason = reason;
  }
}
