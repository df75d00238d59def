/** The worker that looks: it has a run's moments handed to it, and waits for no device. */

import { connect, type Network, sizeOfShape } from "../src/core/network.ts";
import type { Samples } from "../src/data/samples.ts";
import { answer } from "./answers.ts";
import { look, slice } from "./flow/look.ts";
import type { Exhibits, LookCalls } from "./run/protocol.ts";
import { nodesOf } from "./way/settings.ts";

let seen: { exhibits: Exhibits; network: Network } | undefined;

function current() {
  if (!seen) throw new Error("Cannot look yet: no run has begun");
  return seen;
}

answer<LookCalls>({
  exhibit(exhibits) {
    const { settings, sample, classes } = exhibits, { loss } = settings;
    const inputs = sizeOfShape(sample);
    const network = connect({
      ...{ inputs, inputShape: sample, classes, loss },
      nodes: nodesOf(settings),
    });
    seen = { exhibits, network };
  },
  look(moment, digit) {
    const { exhibits: { test }, network } = current(), { inputs } = network;
    if (typeof digit !== "number") return look(network, moment, digit);
    const at = digit - 1, count = test.labels.length;
    if (!(at >= 0 && at < count)) {
      throw new RangeError(`Cannot show test digit ${digit}: there are ${count}, counted from 1`);
    }
    const pixels = test.x.subarray(at * inputs, (at + 1) * inputs);
    return look(network, moment, pixels, { place: digit, label: test.labels[at] });
  },
  slice(moment, unit, pixel) {
    const { exhibits: { probe, settings }, network } = current();
    const samples: Samples = { count: probe.labels.length, inputs: network.inputs, ...probe };
    return slice(network, moment, [unit, pixel], samples, settings.h);
  },
});
