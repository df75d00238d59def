/** A worker's program: it evaluates the shares of gradients that it is sent (see pool.ts). */

import { evaluate, type Part } from "./gradient.ts";
import type { Order } from "./pool.ts";

// A worker's global scope, which the library of types for main programs does not have.
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(part: Part): void;
};

scope.onmessage = ({ data: { problem, share } }) => scope.postMessage(evaluate(problem, share));
