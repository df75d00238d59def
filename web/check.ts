/** Part six: the gradient check, on the adapter at hand. */

import { Chart } from "./chart.ts";
import type { Client } from "./client.ts";
import { byId, showTable } from "./elements.ts";

const TOLERANCE = 1e-6;

/** Puts the check to work. */
export function showCheck(client: Client): void {
  let chart: Chart | undefined;
  const button = byId<HTMLButtonElement>("check-run"), verdict = byId("check-verdict");
  button.addEventListener("click", async () => {
    button.disabled = true;
    verdict.textContent = "Checking…";
    try {
      const { adapter, tensors, sweep } = await client.ask("check");
      const digits = (value: number) => value.toExponential(2);
      showTable(byId("check-table"), [
        ["tensor", "shape", "relative error", "largest difference", "at", "from backprop"],
        ...tensors.map((tensor) => [
          tensor.name,
          tensor.shape.join(" × "),
          digits(tensor.relativeError),
          digits(tensor.maxAbsDifference),
          `[${tensor.at.join(", ")}]`,
          digits(tensor.backpropRelativeError),
        ]),
      ]);
      const floor = (value: number) => Math.max(value, 1e-17); // a logarithmic axis has no 0
      const rows = sweep.toSorted((a, b) => a.h - b.h);
      byId("check-figure").hidden = false;
      chart ??= new Chart(byId("check-curve"), {
        x: "h",
        y: "relative error",
        logX: true,
        logY: true,
        curves: [
          { label: "differences", color: "three", points: true },
          { label: "copies", color: "two", points: true },
        ],
        describe: "Relative error of both numerical engines over h.",
      });
      chart.set(
        rows.map(({ h }) => h),
        rows.map(({ differences }) => floor(differences)),
        rows.map(({ copies }) => floor(copies)),
      );
      const ok = tensors.every(({ relativeError }) => relativeError <= TOLERANCE);
      verdict.textContent = `${adapter}: ` +
        (ok
          ? `every tensor is within ${TOLERANCE} of float64.`
          : `not every tensor is within ${TOLERANCE} of float64.`);
    } catch (error) {
      verdict.textContent = (error as Error).message;
    }
    button.disabled = false;
  });
}
