/** The check of gradients for other programs and their tests: arrays in, a report out. */

import { type Loss, type Network, parameterTensors } from "../core/network.ts";
import { batchIn, inLayout, type Names, namesOf, turned } from "../data/weights.ts";
import { examine, type Problem } from "./checked.ts";
import type { GradientReport } from "./report.ts";
import { placesByName, placesOfNodes } from "./values.ts";

/** Numbers, row-major, with a shape or without. */
export type Numbers = ArrayLike<number> | { readonly data: ArrayLike<number> };

/** Gradients to be checked, and what they are of. */
export interface GradientCheck
  extends Pick<Problem, "h" | "tolerance" | "elements" | "budget" | "seed"> {
  /** The network, or an ONNX file of it. */
  readonly network?: Network;
  readonly onnx?: Uint8Array;
  /** With `onnx`: the loss (default cross-entropy), and what its logarithm has inside (default 0). */
  readonly loss?: Loss;
  readonly epsilon?: number;
  /** All in one vector, or by name: W1, b1, ..., or the ONNX file's; default what that holds. */
  readonly parameters?: Numbers | Readonly<Record<string, Numbers>>;
  /** The batch, [batch, ...]. */
  readonly inputs: Numbers;
  /** Labels from 0, [batch], or one-hot rows, [batch, classes]. */
  readonly targets: Numbers;
  /** Of the mean loss over the batch, by the names of the parameters and in their shapes. */
  readonly gradients: Readonly<Record<string, Numbers>>;
  /** By values inside, [batch, ...]: z1, a1, ... (see `placesByName`), or the ONNX file's names. */
  readonly values?: Readonly<Record<string, Numbers>>;
}

const isArray = (numbers: unknown): numbers is ArrayLike<number> =>
  Array.isArray(numbers) || ArrayBuffer.isView(numbers);

const dataOf = (numbers: Numbers): Float64Array =>
  Float64Array.from(isArray(numbers) ? numbers : numbers.data);

/** Tensors by our names and in our order, out of those that are called otherwise. */
function named(
  network: Network,
  names: Names,
  given: Readonly<Record<string, Numbers>>,
  what: string,
): Map<string, Float64Array> {
  const ours = new Map([...names].map(([name, naming]) => [naming.name, name]));
  const shapes = new Map(parameterTensors(network).map((tensor) => [tensor.name, tensor]));
  return new Map(
    Object.entries(given).map(([name, numbers]) => {
      const own = ours.get(name), data = dataOf(numbers), tensor = shapes.get(own ?? name);
      if (!tensor) {
        throw new TypeError(
          `Cannot use the ${what} ${name}: the network has ${
            [...ours.keys()].join(", ")
          }; name it ` +
            `like one of them`,
        );
      }
      if (data.length !== tensor.size) {
        throw new TypeError(
          `Cannot use the ${what} ${name}: it has ${data.length} values, and the tensor ` +
            `${tensor.size}; give one for each`,
        );
      }
      const naming = names.get(tensor.name)!;
      return [
        tensor.name,
        own !== undefined && naming.turned ? turned({ shape: naming.shape, data }).data : data,
      ];
    }),
  );
}

/** The network, its weights and its names. */
async function networkFor({ network, onnx, loss, epsilon }: GradientCheck) {
  if (network) return { network, names: namesOf(network), nodes: new Map<string, number>() };
  if (!onnx) throw new TypeError("Cannot check gradients of nothing: give a network, or onnx");
  const [{ readOnnx }, { networkOfOnnx }] = await Promise.all([
    import("../data/onnx.ts"),
    import("../data/onnx_network.ts"),
  ]);
  const model = readOnnx(onnx, "the model");
  const read = networkOfOnnx(model, "the model", { loss, epsilon: epsilon ?? 0 });
  return { ...read, nodes: read.values };
}

/** Weights in one vector. */
function vectorOf(
  network: Network,
  names: Names,
  given: GradientCheck["parameters"],
): Float64Array {
  if (given === undefined) {
    throw new TypeError("Cannot check gradients: the network has no weights; give parameters");
  }
  if (isArray(given) || (isArray((given as { data: unknown }).data) && !("W1" in given))) {
    const data = dataOf(given as Numbers);
    if (data.length === network.parameters) return data;
    throw new TypeError(
      `Cannot use ${data.length} parameters: the network has ${network.parameters}`,
    );
  }
  const found = named(network, names, given as Record<string, Numbers>, "parameters");
  const parameters = new Float64Array(network.parameters);
  for (const { name, offset } of parameterTensors(network)) {
    const data = found.get(name);
    if (!data) {
      throw new TypeError(`Cannot check gradients: there is no parameter ${names.get(name)!.name}`);
    }
    parameters.set(data, offset);
  }
  return parameters;
}

/**
 * Holds gradients of any origin against central differences, in float64 on the CPU: which are right,
 * which are so but for kinks, which are off, and what is wrong with those. `report.text()` says it
 * for people, and `report.assertRight()` throws it.
 * @throws {TypeError | RangeError} what of it cannot be checked.
 * @throws {NotFinite} when a difference is no finite number.
 */
export async function checkGradients(check: GradientCheck): Promise<GradientReport> {
  const { h, tolerance, elements, budget, seed } = check;
  const { network, names, nodes, ...read } = await networkFor(check);
  const parameters = check.parameters === undefined && "parameters" in read
    ? (read as { parameters: Float64Array }).parameters
    : vectorOf(network, names, check.parameters);
  const x = dataOf(check.inputs), t = dataOf(check.targets), count = x.length / network.inputs;
  if (!Number.isInteger(count) || count < 1) {
    throw new TypeError(
      `Cannot use inputs of ${x.length} values: a sample has ${network.inputs}; give whole samples`,
    );
  }
  const batch = new Map([
    ["x", { shape: [count, network.inputs], data: x }],
    ["t", { shape: t.length === count ? [count] : [count, t.length / count], data: t }],
  ]);
  const { value: samples } = inLayout(
    "the batch",
    "numpy",
    (layout) => batchIn(batch, layout, network),
  );
  const places = placesByName(network), ofNodes = placesOfNodes(network);
  for (const [name, node] of nodes) places.set(name, ofNodes[node]);
  const values = new Map(
    Object.entries(check.values ?? {}).map(([name, numbers]) => {
      const place = places.get(name), data = dataOf(numbers);
      if (!place || data.length !== count * network.layers[place.layer].outputs) {
        throw new TypeError(
          `Cannot check the gradient by ${name}: ` +
            (place
              ? `it has ${data.length} values for ${count} samples; give one for each of its own`
              : `there is no such value, but ${[...places.keys()].join(", ")}`),
        );
      }
      return [name, { place, data }] as const;
    }),
  );
  return await examine({
    network,
    parameters,
    samples,
    gradients: named(network, names, check.gradients, "gradient"),
    called: names,
    values,
    h,
    tolerance,
    elements,
    budget,
    seed,
  });
}
