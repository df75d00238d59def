/** Five ways to a gradient side by side. */

import { Chart } from "../parts/chart.ts";
import { byId, enable, isEnabled, make, short, showTable } from "../parts/elements.ts";
import { Client, Ended } from "../run/client.ts";
import { type Calls, ENGINES, type RaceRow } from "../run/protocol.ts";
import { inLanguage, t } from "../texts/texts.ts";
import { colorOf, showEngines } from "./engines.ts";
import { sameCurves } from "./same.ts";

const STEPS = 600;
const WINDOW = 20;
/** Each value with the mean of those before it. */
function smooth(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value, i) => {
    sum += value - (i >= WINDOW ? values[i - WINDOW] : 0);
    return sum / Math.min(i + 1, WINDOW);
  });
}

/** Puts the race to work. */
export function showRace(): void {
  showEngines();
  const client = new Client<Calls>("worker.js"); // its own: the run goes on beside it
  const chart = (id: string, x: () => string) =>
    new Chart(byId(id), () => ({
      x: x(),
      y: t.race.loss,
      curves: ENGINES.map((engine) => ({ label: t.engines[engine], color: colorOf(engine) })),
      describe: t.race.describe(x()),
    }));
  let charts: [steps: Chart, seconds: Chart] | undefined;
  let rows: readonly RaceRow[] = [], isSmooth = true, problem: string | undefined;
  const start = [byId("race-smooth"), byId("race-step")], stop = byId("race-stop");

  function show(): void {
    byId("race-problem").textContent = problem === undefined ? "" : t.race.failed(t.error(problem));
    if (rows.length === 0) return;
    const losses = new Map(rows.map((row) => [row.engine, smooth(row.losses)]));
    byId("race-figures").hidden = false;
    charts ??= [
      chart("race-steps", () => t.race.stepsAxis),
      chart("race-seconds", () => t.race.secondsAxis),
    ];
    const length = Math.max(...rows.map((row) => row.losses.length));
    const steps = Array.from({ length }, (_, i) => i + 1);
    charts[0].set(
      steps,
      ...ENGINES.map((engine) => steps.map((_, i) => losses.get(engine)?.[i] ?? null)),
    );
    // Every place on the time axis belongs to one engine; the others have no value there.
    const places = rows.flatMap(({ engine, seconds }) =>
      seconds.map((second, i) => ({ second, engine, loss: losses.get(engine)![i] }))
    ).sort((a, b) => a.second - b.second);
    charts[1].set(
      places.map(({ second }) => second),
      ...ENGINES.map((engine) =>
        places.map((place) => place.engine === engine ? place.loss : null)
      ),
    );
    const { race } = t;
    showTable(byId("race-table"), [
      [race.engine, race.stepsAxis, race.loss, race.accuracy, race.seconds, race.each, race.cosine],
      ...rows.map(({ engine, seconds, accuracy, cosine }) => [
        t.engines[engine],
        `${seconds.length}`,
        (losses.get(engine)!.at(-1) ?? NaN).toFixed(4),
        t.percent(accuracy),
        (seconds.at(-1) ?? 0).toFixed(2),
        short(1000 * (seconds.at(-1) ?? 0) / Math.max(1, seconds.length)),
        cosine.toFixed(4),
      ]),
    ]);
    const notes = sameCurves(rows).map(({ engines, apart }) =>
      race.same(engines.map((engine) => t.engines[engine]).join(", "), short(apart, 1))
    );
    if (isSmooth) notes.push(race.isBackprop);
    byId("race-notes").replaceChildren(...notes.map((note) => make("p", {}, note)));
  }
  client.listen((report) => {
    if (report.kind !== "race") return;
    rows = report.rows;
    show();
  });

  function goes(isGoing: boolean): void {
    start.forEach((button) => enable(button, !isGoing));
    enable(stop, isGoing);
  }

  async function run(activation: "sigmoid" | "step"): Promise<void> {
    goes(true);
    isSmooth = activation === "sigmoid";
    problem = undefined;
    try {
      await client.ask("race", activation, STEPS);
    } catch (error) {
      if (!(error instanceof Ended)) problem = (error as Error).message;
      show();
    }
    client.end(); // and with it its devices
    goes(false);
  }
  start.forEach((button, i) =>
    button.addEventListener("click", () => isEnabled(button) && run(i === 0 ? "sigmoid" : "step"))
  );
  stop.addEventListener("click", () => isEnabled(stop) && client.ask("stopRace").catch(() => {}));
  goes(false);
  inLanguage(show);
}
