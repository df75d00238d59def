/** Whether a network fits a device, and which narrower one would. */

import { connect, type Network, shapeOf } from "./network.ts";

/** Bytes for people. */
export function sizeOf(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${Number((bytes / 1024 ** power).toPrecision(3))} ${units[power]}`;
}

/**
 * The network with its hidden layers as wide as `share` of what they are, and its convolutions with
 * as many channels, at least 1; where they are in groups, as many in each.
 */
function narrowed({ nodes, ...network }: Network, share: number): Network {
  const narrow = (width: number) => Math.max(1, Math.floor(share * width));
  return connect({
    ...network,
    nodes: nodes.map((node) => {
      if (node.operation === "dense") return { ...node, width: narrow(node.width) };
      if (node.operation !== "conv") return node;
      const { groups = 1 } = node;
      return { ...node, channels: groups * narrow(node.channels / groups) };
    }),
  });
}

/**
 * Refuses a network whose arrays are larger than a device can hold.
 * @param arrays bytes of the arrays that a network takes, by name.
 * @param limit the most bytes of one array.
 * @param device what has that limit, for people.
 * @throws {RangeError} with what is needed, what there is, and the widest network of the same
 *   proportions that would fit.
 */
export function checkFit(
  network: Network,
  arrays: (network: Network) => Record<string, number>,
  limit: number,
  device: string,
): void {
  const largest = (of: Network) =>
    Object.entries(arrays(of)).reduce((a, b) => a[1] >= b[1] ? a : b);
  const [name, bytes] = largest(network);
  if (bytes <= limit) return;
  /** The network so much narrower, where it fits; where data are added to values, none is narrower. */
  const fitting = (share: number): Network | undefined => {
    try {
      const mend = narrowed(network, share);
      return largest(mend)[1] <= limit ? mend : undefined;
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  };
  let fits = 0, fails = 1; // shares of the width
  for (let i = 0; i < 40; i++) {
    const middle = (fits + fails) / 2;
    if (fitting(middle)) fits = middle;
    else fails = middle;
  }
  const mend = fitting(fits);
  throw new RangeError(
    `Cannot hold ${shapeOf(network)}: its ${name} needs ${sizeOf(bytes)}, and ${device} gives ` +
      `${sizeOf(limit)} an array; ` +
      (mend && mend.layers.length > 1
        ? `${shapeOf(mend)} would fit`
        : "use a smaller batch or fewer inputs"),
  );
}
