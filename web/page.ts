/** The page behind its first figure: brings its parts to life, and prepares the run of its address. */

import { showCheck } from "./check/check.ts";
import { showDigits } from "./figure/digits.ts";
import { showFlow } from "./flow/flow.ts";
import { showMistakes } from "./flow/mistakes.ts";
import { showRace } from "./race/race.ts";
import { showBar } from "./run/bar.ts";
import { showProgress } from "./run/progress.ts";
import { Training } from "./run/training.ts";
import { showFiles } from "./share/files.ts";
import { showPresent } from "./share/present.ts";
import { showForm } from "./way/form.ts";

/** Shows all of it. */
export async function showPage(): Promise<void> {
  const training = new Training();
  // A part at a time: the person's clicks come between.
  for (
    const show of [
      () => showBar(training),
      () => showForm(training),
      () => showProgress(training),
      showDigits,
      () => showFlow(training),
      () => showMistakes(training),
      showRace,
      () => showCheck(training),
      () => showFiles(training),
      showPresent,
    ]
  ) {
    show();
    await new Promise((resolve) => setTimeout(resolve));
  }
  // For tests, and for those who want to see what a lost device looks like.
  const { client } = training;
  Object.assign(globalThis, {
    debug: {
      loseDevices: () => client.ask("loseDevices"),
      liveBuffers: () => client.ask("liveBuffers"),
    },
  });
  await training.prepare({ download: false }); // nothing leaves this page before a person asks for it
}
