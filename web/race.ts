/** Part five: three engines side by side. */

import { Chart } from "./chart.ts";
import type { Client } from "./client.ts";
import { byId, short, showTable } from "./elements.ts";
import type { RaceRow } from "./protocol.ts";

const STEPS = 600;
const WINDOW = 20;
const ENGINES = ["differences", "copies", "backprop"];

/** Each value with the mean of those before it. */
function smooth(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value, i) => {
    sum += value - (i >= WINDOW ? values[i - WINDOW] : 0);
    return sum / Math.min(i + 1, WINDOW);
  });
}

/** Puts the race to work. */
export function showRace(client: Client): void {
  const curves = ["one", "two", "three"].map((color, i) => ({ label: ENGINES[i], color }));
  const chart = (id: string, x: string) =>
    new Chart(byId(id), {
      x,
      y: "loss",
      curves,
      describe: `Loss against ${x} for the three engines; the table below has the latest numbers.`,
    });
  let bySteps: Chart | undefined, bySeconds: Chart | undefined;
  const buttons = ["race-smooth", "race-step", "race-stop"].map((id) =>
    byId<HTMLButtonElement>(id)
  );

  function show(rows: readonly RaceRow[]): void {
    const losses = rows.map((row) => smooth(row.losses));
    byId("race-figures").hidden = false;
    bySteps ??= chart("race-steps", "steps");
    bySeconds ??= chart("race-seconds", "seconds");
    bySteps.set(losses[0].map((_, i) => i + 1), ...losses);
    // Every place on the time axis belongs to one engine; the others have no value there.
    const places = rows.flatMap(({ seconds }, racer) =>
      seconds.map((second, i) => ({ second, racer, loss: losses[racer][i] }))
    ).sort((a, b) => a.second - b.second);
    bySeconds.set(
      places.map(({ second }) => second),
      ...rows.map((_, racer) => places.map((place) => place.racer === racer ? place.loss : null)),
    );
    showTable(byId("race-table"), [
      ["engine", "steps", "loss", "seconds", "ms a step", "cosine to backprop’s gradient"],
      ...rows.map(({ engine, seconds, cosine }, racer) => [
        engine,
        `${seconds.length}`,
        (losses[racer].at(-1) ?? NaN).toFixed(4),
        (seconds.at(-1) ?? 0).toFixed(2),
        short(1000 * (seconds.at(-1) ?? 0) / Math.max(1, seconds.length)),
        cosine.toFixed(4),
      ]),
    ]);
  }
  client.listen((report) => {
    if (report.kind === "race") show(report.rows);
  });

  async function run(activation: string): Promise<void> {
    const [smoothButton, stepButton, stop] = buttons;
    smoothButton.disabled = stepButton.disabled = true;
    stop.disabled = false;
    try {
      await client.ask("race", activation, STEPS);
    } finally {
      smoothButton.disabled = stepButton.disabled = false;
      stop.disabled = true;
    }
  }
  buttons[0].addEventListener("click", () => run("sigmoid"));
  buttons[1].addEventListener("click", () => run("step"));
  buttons[2].addEventListener("click", () => client.ask("stopRace"));
}
