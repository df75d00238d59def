/** What a lent tab computes, away from its screen: see src/nats/worker.ts. */

import * as ng from "../src/mod.ts";
import { parseAddress } from "../src/nats/address.ts";
import type { Run } from "../src/nats/messages.ts";
import { connectTo, NoServer } from "../src/nats/server.ts";
import { lend, type LendingEvent } from "../src/nats/worker.ts";
import { fetchMnist } from "./run/mnist.ts";

/** Where to. The message "stop" ends it. */
export interface LendingQuestion {
  readonly address: string;
  readonly token?: string;
}

/** What happens, and why it cannot go on. */
export type LendingAnswer = LendingEvent | { readonly kind: "failed"; readonly message: string };

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<LendingQuestion | "stop">) => void) | null;
  postMessage(answer: LendingAnswer): void;
  close(): void;
};

/** Milliseconds until a server that is not there is looked for again. */
const AGAIN = 2000;

const end = new AbortController();

/** Data of this program's own, and no others. */
async function load({ data: { source, seed } }: Run): Promise<ng.DataSet> {
  if (source === "digits") return ng.drawDigits({ seed });
  if (source === "mnist") {
    return await fetchMnist(true).catch(() => {
      throw new TypeError("Cannot take part in this run: MNIST could not be fetched");
    });
  }
  throw new TypeError("Cannot take part in this run: its data are not of this page");
}

async function connect({ address, token }: LendingQuestion) {
  const { url, token: own } = parseAddress(address);
  for (;;) {
    try {
      return await connectTo({ url, role: "worker", token: token ?? own });
    } catch (error) {
      if (!(error instanceof NoServer) || end.signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN)); // it may come yet
    }
  }
}

async function work(question: LendingQuestion): Promise<void> {
  try {
    const connection = await connect(question);
    try {
      await lend({
        connection,
        name: `tab-${crypto.randomUUID().slice(0, 8)}`,
        load,
        open: (options) => ng.openEngine(options, "auto", () => {}),
        signal: end.signal,
        tell: (event) => scope.postMessage(event),
      });
    } finally {
      await connection.close();
    }
  } catch (error) {
    if (!end.signal.aborted) {
      scope.postMessage({ kind: "failed", message: (error as Error).message });
    }
  }
  scope.close();
}

scope.onmessage = ({ data }) => data === "stop" ? end.abort() : void work(data);
