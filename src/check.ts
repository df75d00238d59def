/** The check of gradients as the library exports it: what it takes is loaded with the first call. */

import type { GradientCheck } from "./method/check_gradients.ts";
import type { GradientReport } from "./method/report.ts";

/**
 * Holds gradients of any origin against central differences, in float64 on the CPU: which are right,
 * which are so but for kinks, which are off, and what is wrong with those. `report.text()` says it
 * for people, and `report.assertRight()` throws it.
 * @throws {TypeError | RangeError} what of it cannot be checked.
 * @throws {NotFinite} when a difference is no finite number.
 */
export async function checkGradients(check: GradientCheck): Promise<GradientReport> {
  const { checkGradients } = await import("./method/check_gradients.ts");
  return await checkGradients(check);
}
