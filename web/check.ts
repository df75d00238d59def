/** Part six: the gradient check, on the adapter at hand. */

import { isRight, type ParityRow } from "../src/method/measured.ts";
import { Chart } from "./chart.ts";
import type { Client } from "./client.ts";
import { byId, showTable } from "./elements.ts";
import type { Checked } from "./protocol.ts";

const TOLERANCE = 1e-6;

const digits = (value: number) => value.toExponential(2);

/** Puts the check to work. */
export function showCheck(client: Client): void {
  let chart: Chart | undefined;
  const button = byId<HTMLButtonElement>("check-run"), verdict = byId("check-verdict");
  let gradients = ""; // what is said of them

  function showGradients({ adapter, tensors, sweep }: Checked): void {
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
    gradients = `${adapter}: ${ok ? "every" : "not every"} tensor is within ${TOLERANCE} of ` +
      `float64`;
    verdict.textContent = `${gradients}. Comparing every kernel…`;
  }

  function showRows(rows: readonly ParityRow[]): void {
    showTable(byId("parity-table"), [
      ["compared", "relative error", "bound", ""],
      ...rows.map((row) => [
        row.name,
        digits(row.worst),
        digits(row.bound),
        isRight(row) ? "right" : "OFF",
      ]),
    ]);
  }

  client.listen((report) => {
    if (report.kind === "check") showGradients(report);
    if (report.kind === "parity") showRows(report.rows);
  });
  button.addEventListener("click", async () => {
    button.disabled = true;
    verdict.textContent = "Checking…";
    try {
      const { rows } = await client.ask("check");
      const off = rows.filter((row) => !isRight(row)).length;
      const kernels = rows.length === 0
        ? "there is no GPU to compare"
        : off === 0
        ? `all ${rows.length} comparisons below are right`
        : `${off} of the ${rows.length} comparisons below are OFF: please report them`;
      verdict.textContent = `${gradients}; ${kernels}.`;
    } catch (error) {
      verdict.textContent = (error as Error).message;
    }
    button.disabled = false;
  });
}
