/**
 * The network that an ONNX model is: its operations, its weights, and what the file calls them.
 */

import { connect, DATA, type Loss, type Network } from "../core/network.ts";
import { sizeOfShape } from "../operations/structure.ts";
import { quote } from "./elements.ts";
import type { OnnxModel } from "./onnx.ts";
import { operationOf, OPERATORS } from "./onnx_operators.ts";
import { type Given, Reader, type Weight } from "./onnx_reader.ts";
import { type Names, namesOf } from "./weights.ts";

/** A network from an ONNX file. */
export interface OnnxNetwork {
  readonly network: Network;
  readonly parameters: Float64Array; // [parameters]
  /** What the file calls its tensors. */
  readonly names: Names;
  /** What the file ends in behind the logits, which is the loss's here. */
  readonly softmax?: "Softmax" | "LogSoftmax";
  /**
   * The operator that the file ends in, where that is no dense layer: one that passes on what it
   * takes, whose weights are 1 and 0, is then put behind it.
   */
  readonly closed?: string;
  /** Which of the network's nodes each value that is computed is, the last layer behind all others. */
  readonly values: ReadonlyMap<string, number>;
  /** Lines for people: what is otherwise here than in the file. */
  readonly notes: readonly string[];
}

/** Outputs of a network that ends in no dense layer, at most: one of their square is added. */
const MOST_CLOSED = 4096;

/** Attributes that say nothing about what is computed at inference. */
const IDLE = new Set(["momentum", "is_test", "consumed_inputs", "seed", "storage_order"]);

/**
 * The network of an ONNX model, with its weights.
 * @throws {SyntaxError} in one line naming the operator and the node that is not known here, or whose
 *   numbers or shapes are not.
 */
export function networkOfOnnx(
  model: OnnxModel,
  fileName: string,
  { loss, epsilon }: { loss?: Loss; epsilon?: number } = {},
): OnnxNetwork {
  const reader = new Reader(model, fileName);
  for (const node of model.nodes) {
    reader.node = node;
    reader.read = new Set(IDLE);
    const operation = operationOf(node.operator);
    if (!operation) {
      return reader.refuseNode("is not known here", `known are ${OPERATORS.join(", ")}`);
    }
    const value = operation(reader);
    const strange = [...node.attributes.keys()].find((name) => !reader.read.has(name));
    if (strange !== undefined) reader.refuseNode(`has the attribute ${quote(strange)}`);
    const more = node.outputs.slice(1).find((name) => reader.use(name) > 0);
    if (more !== undefined) reader.refuseNode(`gives a second value, ${quote(more)}, that is used`);
    const [name] = node.outputs;
    if (!name) reader.refuseNode("gives nothing");
    reader.values.set(
      name,
      value.kind === "constant"
        ? value
        : { ...value, alone: value.alone && reader.use(name) === 1 },
    );
  }
  return finish(reader, { loss, epsilon });
}

/** Puts the last layer where it belongs, and lays out the weights. */
function finish(reader: Reader, options: { loss?: Loss; epsilon?: number }): OnnxNetwork {
  const { model, nodes, weights } = reader;
  const last = reader.values.get(model.outputs[0].name)!;
  if (last.kind === "constant") return reader.refuse("its output is constant");
  // Names alone may follow the last layer.
  let end = nodes.length - 1;
  while (
    end === last.node && end >= 0 &&
    ["reshape", "flatten", "dropout"].includes(nodes[end].operation) &&
    nodes[end].from![0] === end - 1
  ) {
    nodes.pop();
    end--;
    if (last.node > end) Object.assign(last, { node: end });
  }
  const outputs = sizeOfShape(last.shape);
  if (last.node !== end) {
    reader.refuse(
      "it computes values that its output does not take",
      "remove the nodes that lead nowhere",
    );
  }
  const before = new Map<string, Weight>();
  const final = nodes[end];
  let closed: string | undefined, behind: Weight[];
  if (final?.operation === "dense" && (final.from![0] === end - 1)) {
    behind = weights.get(end)!;
    nodes.pop();
  } else {
    if (outputs > MOST_CLOSED) {
      reader.refuse(
        `it ends in no dense layer, and gives ${outputs} values a sample`,
        `at most ${MOST_CLOSED} are read so`,
      );
    }
    closed = model.nodes.find(({ outputs: [name] }) => name === model.outputs[0].name)?.operator ??
      "its input";
    const identity = new Float64Array(outputs * outputs);
    for (let k = 0; k < outputs; k++) identity[k * (outputs + 1)] = 1;
    behind = [{ data: identity }, { data: new Float64Array(outputs) }];
  }
  const input = [...reader.values.values()].find((value): value is Given =>
    value.kind === "given" && value.node === DATA
  )!;
  let network: Network;
  try {
    network = connect({
      inputs: sizeOfShape(input.shape),
      inputShape: input.shape,
      classes: outputs,
      nodes,
      ...options,
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return reader.refuse(error.message.replace(/^Cannot /, "we cannot "));
  }
  const all = [...nodes.keys()].flatMap((i) => weights.has(i) ? [weights.get(i)!] : []);
  [...all, behind].forEach(([matrix, bias], l) => {
    before.set(`W${l + 1}`, matrix);
    before.set(`b${l + 1}`, bias);
  });
  const parameters = new Float64Array(network.parameters);
  let offset = 0;
  const said = new Map<string, { name: string; shape: readonly number[]; turned: boolean }>();
  for (const [ours, { data, of }] of before) {
    parameters.set(data, offset);
    offset += data.length;
    if (!of?.initializer) continue;
    const { name, shape } = of.initializer;
    if ([...said.values()].some((other) => other.name === name)) {
      reader.refuse(
        `initializer ${quote(name)} is the weights of two layers`,
        "export it with a copy for each",
      );
    }
    said.set(ours, { name, shape, turned: of.turned });
  }
  const names = namesOf(network, said), { softmax } = last, { notes } = reader;
  const values = new Map(
    [...reader.values].flatMap(([name, value]): [string, number][] =>
      value.kind === "given" && value.node !== DATA && value.node <= network.nodes.length
        ? [[name, value.node]]
        : []
    ),
  );
  return { network, parameters, names, softmax, closed, values, notes };
}
