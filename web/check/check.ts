/** The gradient check, on the adapter at hand, and the badge that says how it went. */

import { isRight, type ParityRow } from "../../src/method/measured.ts";
import { Chart } from "../parts/chart.ts";
import { byId, enable, isEnabled, showTable } from "../parts/elements.ts";
import { Client } from "../run/client.ts";
import type { Calls, Checked } from "../run/protocol.ts";
import type { Training } from "../run/training.ts";
import { inLanguage, t } from "../texts/texts.ts";

const TOLERANCE = 1e-6;

const digits = (value: number) => value.toExponential(2);

/** Puts the check to work. */
export function showCheck(training: Training): void {
  const client = new Client<Calls>("worker.js"); // its own: the run goes on beside it
  const button = byId("check-run"), badge = byId("badge");
  let chart: Chart | undefined;
  let state: "unchecked" | "checking" | "done" = "unchecked";
  let checked: Checked | undefined, rows: readonly ParityRow[] = [], problem: string | undefined;

  const tensorsAreRight = () =>
    checked!.tensors.every(({ relativeError }) => relativeError <= TOLERANCE);
  const offRows = () => rows.filter((row) => !isRight(row)).length;

  function verdict(): string {
    const { check } = t;
    if (problem !== undefined) return t.error(problem);
    if (state === "unchecked") return "";
    if (!checked) return check.checking;
    const adapter = checked.adapter || check.cpu;
    const gradients = tensorsAreRight()
      ? check.gradients(adapter, TOLERANCE)
      : check.gradientsOff(adapter, TOLERANCE);
    if (state === "checking") return `${gradients}. ${check.comparing}`;
    const off = offRows();
    const kernels = rows.length === 0
      ? check.none
      : off === 0
      ? check.allRight(rows.length)
      : check.someOff(off, rows.length);
    return `${gradients}; ${kernels}.`;
  }

  function showBadge(): void {
    const { ready } = training, { badge: texts } = t.check;
    const adapter = checked?.adapter || (ready?.backend === "webgpu" ? ready.adapter : t.check.cpu);
    const isOff = checked !== undefined && (!tensorsAreRight() || offRows() > 0);
    const kind = isOff ? "off" : state === "done" ? "right" : state;
    badge.textContent = texts[kind](adapter);
    badge.dataset.state = kind;
    badge.hidden = ready === undefined && checked === undefined;
  }

  function show(): void {
    byId("check-verdict").textContent = verdict();
    showBadge();
    if (!checked) return;
    const { check } = t, { tensors, sweep } = checked;
    showTable(byId("check-table"), [
      [check.tensor, check.shape, check.error, check.largest, check.at, check.fromBackprop],
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
    const points = sweep.toSorted((a, b) => a.h - b.h);
    byId("check-figure").hidden = false;
    chart ??= new Chart(byId("check-curve"), () => ({
      x: "h",
      y: t.check.error,
      logX: true,
      logY: true,
      curves: [
        { label: t.engines.differences, color: "differences", points: true },
        { label: t.engines.copies, color: "copies", points: true },
      ],
      describe: t.check.describe,
    }));
    chart.set(
      points.map(({ h }) => h),
      points.map(({ differences }) => floor(differences)),
      points.map(({ copies }) => floor(copies)),
    );
    if (rows.length === 0) return;
    showTable(byId("parity-table"), [
      [check.compared, check.error, check.bound, ""],
      ...rows.map((row) => [
        row.name,
        digits(row.worst),
        digits(row.bound),
        isRight(row) ? check.right : check.off,
      ]),
    ]);
  }

  client.listen((report) => {
    if (report.kind === "check") checked = report;
    else if (report.kind === "parity") rows = report.rows;
    else return;
    show();
  });
  button.addEventListener("click", async () => {
    if (!isEnabled(button)) return;
    enable(button, false);
    [state, checked, rows, problem] = ["checking", undefined, [], undefined];
    show();
    try {
      await client.ask("check");
      state = "done";
    } catch (error) {
      problem = (error as Error).message;
      state = "unchecked";
    }
    client.end(); // and with it its device
    enable(button, true);
    show();
  });
  enable(button, true);
  training.on("begun", showBadge);
  inLanguage(show);
}
