/** The page: brings its parts to life, and begins the run that its address describes. */

import { showCheck } from "./check.ts";
import { Client } from "./client.ts";
import { showDraw } from "./draw.ts";
import { showFiles } from "./files.ts";
import { showIdea } from "./idea.ts";
import { showInside } from "./inside.ts";
import { showRace } from "./race.ts";
import { Training } from "./training.ts";

// A tab that is lent shows nothing of the rest.
if (new URLSearchParams(location.search).has("worker")) {
  await (await import("./lend.ts")).lendTab();
}

const client = new Client();
const training = new Training(client);
showIdea();
const lookAt = showInside(client, training);
showDraw(client, training, lookAt);
showRace(client);
showCheck(client);
showFiles(client, training);
await training.reset(false); // nothing leaves this page before a person asks for it

// For tests, and for those who want to see what a lost device looks like.
Object.assign(globalThis, {
  debug: {
    loseDevices: () => client.ask("loseDevices"),
    liveBuffers: () => client.ask("liveBuffers"),
  },
});
