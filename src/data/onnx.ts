/**
 * ONNX files as plain data, from bytes and back: nodes, tensors by name, what goes in and out. What
 * the operators mean is `onnx_operators.ts`'s.
 *
 * The bytes are read by a library from the format's own definition; here every number that it finds
 * is checked before anything is built on it.
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType as Type,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import {
  countElements,
  decode,
  ELEMENT_BYTES,
  type ElementType,
  encode,
  quote,
  type Tensor,
  type Tensors,
} from "./elements.ts";

/** What an attribute says: a number, a text, numbers, or a tensor. */
export type Attribute = number | string | readonly number[] | Tensor;

/** One node of a graph. */
export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  /** Names of what it takes; "" for what is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** A value that goes in or comes out; a text for a length that is not known, "" where it has no name. */
export interface OnnxValue {
  readonly name: string;
  /** Whether it holds floats, of whatever size. */
  readonly isFloat: boolean;
  readonly shape: readonly (number | string)[];
}

/** A model. */
export interface OnnxModel {
  /** Version of ONNX's own operators. */
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: Tensors;
  /** What goes in; in old files the initializers too. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** Nodes, tensors, attributes of a node and dimensions, at most: more are taken for a hostile file. */
const MOST = { nodes: 10_000, tensors: 100_000, attributes: 100, rank: 32 };

const STORED: Partial<Record<Type, ElementType>> = {
  [Type.FLOAT]: "F32",
  [Type.DOUBLE]: "F64",
  [Type.FLOAT16]: "F16",
  [Type.BFLOAT16]: "BF16",
  [Type.INT64]: "I64",
  [Type.UINT64]: "U64",
  [Type.INT32]: "I32",
  [Type.UINT32]: "U32",
  [Type.INT16]: "I16",
  [Type.UINT16]: "U16",
  [Type.INT8]: "I8",
  [Type.UINT8]: "U8",
  [Type.BOOL]: "U8",
};

const FLOATS = new Set<number>([Type.FLOAT, Type.DOUBLE, Type.FLOAT16, Type.BFLOAT16]);

const typeName = (type: number) => Type[type] ?? `number ${type}`;

type Refuse = (reason: string, mend?: string) => never;

const refusal = (fileName: string): Refuse => (reason, mend = "export the model anew") => {
  throw new SyntaxError(`Cannot read ${fileName} as ONNX: ${reason}; ${mend}`);
};

/** A 64-bit integer as a number. */
function whole(value: bigint, what: string, refuse: Refuse): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) refuse(`${what} is ${value}`);
  return number;
}

/** The numbers of a tensor, from whichever of its fields holds them. */
function tensorOf(tensor: TensorProto, what: string, refuse: Refuse): Tensor {
  const { dims, dataType, rawData, floatData, doubleData, int32Data, int64Data, uint64Data } =
    tensor;
  if (
    tensor.dataLocation === TensorProto_DataLocation.EXTERNAL || tensor.externalData.length > 0
  ) {
    refuse(
      `${what} lies in another file (external data)`,
      "save the model with all of its data in one file",
    );
  }
  const type = STORED[dataType as Type];
  if (type === undefined) return refuse(`${what} holds ${typeName(dataType)}, not numbers`);
  const shape = dims.length > MOST.rank
    ? refuse(`${what} has ${dims.length} dimensions`)
    : dims.map(Number);
  const count = countElements(shape);
  if (count === undefined) return refuse(`${what} has the shape [${dims}]`);
  if (rawData.length > 0) {
    if (rawData.length !== count * ELEMENT_BYTES[type]) {
      refuse(
        `${what} has ${rawData.length} bytes, and its shape [${shape}] and type need ` +
          `${count * ELEMENT_BYTES[type]}`,
      );
    }
    try {
      return { shape, data: decode(type, rawData) };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return refuse(`${what}: ${error.message}`);
    }
  }
  const fields: Partial<Record<ElementType, ArrayLike<number | bigint>>> = {
    F32: floatData,
    F64: doubleData,
    I64: int64Data,
    U64: uint64Data,
    U32: uint64Data,
  };
  const numbers = fields[type] ?? int32Data;
  if (numbers.length !== count) {
    refuse(`${what} has ${numbers.length} numbers, and its shape [${shape}] needs ${count}`);
  }
  if (type === "F16" || type === "BF16") { // their bits, as integers
    const bits = Uint16Array.from(numbers as ArrayLike<number>);
    return { shape, data: decode(type, new Uint8Array(bits.buffer)) };
  }
  const data = Float64Array.from(numbers as ArrayLike<number>, Number);
  const large = data.findIndex((value, i) =>
    typeof numbers[i] === "bigint" && BigInt(value) !== numbers[i]
  );
  if (large >= 0) refuse(`${what} holds ${numbers[large]}, which float64 cannot`);
  return { shape, data };
}

/** Refuses numbers that are none. */
function checkNumbers({ data }: Tensor, what: string, refuse: Refuse): void {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) refuse(`${what} holds ${data[at]}`, "use weights that are finite");
}

/** What an attribute says. */
function attributeOf(attribute: AttributeProto, what: string, refuse: Refuse): Attribute {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const { type, f, i, s, t, floats, ints } = attribute;
  switch (type) {
    case Kind.FLOAT:
      return f;
    case Kind.INT:
      return whole(i, what, refuse);
    case Kind.STRING:
      return text(s);
    case Kind.FLOATS:
      return floats;
    case Kind.INTS:
      return ints.map((value) => whole(value, what, refuse));
    case Kind.TENSOR:
      if (t) return tensorOf(t, what, refuse);
  }
  return refuse(`${what} is of a kind that is not read (${Kind[type] ?? type})`);
}

/** A value's name and shape. */
function valueOf({ name, type }: ValueInfoProto, refuse: Refuse): OnnxValue {
  const what = `value ${quote(name)}`;
  if (type?.value.case !== "tensorType") return refuse(`${what} is no tensor`);
  const { elemType, shape } = type.value.value;
  if ((shape?.dim.length ?? 0) > MOST.rank) refuse(`${what} has too many dimensions`);
  return {
    name,
    isFloat: FLOATS.has(elemType),
    shape: (shape?.dim ?? []).map(({ value }) => {
      if (value.case !== "dimValue") return value.case === "dimParam" ? value.value : "";
      const length = whole(value.value, `a length of ${what}`, refuse);
      return length < 0 ? refuse(`a length of ${what} is ${length}`) : length;
    }),
  };
}

/** A node's name for people: its own, or that of what it gives. */
export const nodeTitle = ({ operator, name, outputs }: OnnxNode): string =>
  `${quote(operator).slice(1, -1)} node ${quote(name || outputs[0] || "")}`;

/**
 * A model out of an ONNX file.
 * @param fileName its name, for error messages.
 * @throws {SyntaxError} in one line when the bytes are no ONNX model, or say what makes no sense:
 *   names given twice, sizes that do not fit the data, nodes before what they take.
 */
export function readOnnx(bytes: Uint8Array, fileName: string): OnnxModel {
  const refuse = refusal(fileName);
  let model;
  try {
    model = fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    return refuse(`its bytes are no ONNX model (${(error as Error).message.slice(0, 100)})`);
  }
  const { graph, opsetImport } = model;
  if (!graph) return refuse("it holds no graph");
  const own = opsetImport.filter(({ domain }) => domain === "" || domain === "ai.onnx");
  if (own.length !== 1) refuse("it does not say the version of its operators");
  const opset = whole(own[0].version, "the version of its operators", refuse);
  if (opset < 1 || opset > 1000) refuse(`the version of its operators is ${opset}`);
  if (graph.sparseInitializer.length > 0) refuse("it has sparse tensors");
  if (graph.node.length > MOST.nodes) refuse(`it has ${graph.node.length} nodes`);
  if (graph.initializer.length + graph.input.length > MOST.tensors) {
    refuse(`it has ${graph.initializer.length + graph.input.length} tensors`);
  }

  const initializers: Tensors = new Map();
  for (const tensor of graph.initializer) {
    const what = `tensor ${quote(tensor.name)}`;
    if (tensor.name === "") refuse("a tensor has no name");
    if (initializers.has(tensor.name)) refuse(`${what} is there twice`);
    const read = tensorOf(tensor, what, refuse);
    checkNumbers(read, what, refuse);
    initializers.set(tensor.name, read);
  }
  const inputs = graph.input.map((value) => valueOf(value, refuse));
  const known = new Set(initializers.keys());
  const listed = new Set<string>();
  for (const { name } of inputs) {
    if (listed.has(name)) refuse(`input ${quote(name)} is there twice`);
    listed.add(name);
    known.add(name);
  }
  const nodes = graph.node.map((node): OnnxNode => {
    const { name, opType: operator, input, output, domain } = node;
    const title = nodeTitle({ name, operator, outputs: output, inputs: [], attributes: new Map() });
    if (domain !== "" && domain !== "ai.onnx") {
      refuse(`${title} is no operator of ONNX, but of ${quote(domain)}`);
    }
    if (input.length + output.length + node.attribute.length > MOST.attributes) {
      refuse(`${title} has more inputs and attributes than any operator takes`);
    }
    const missing = input.find((taken) => taken !== "" && !known.has(taken));
    if (missing !== undefined) {
      refuse(`${title} takes ${quote(missing)}, which nothing before it gives`);
    }
    for (const given of output) {
      if (given === "") continue;
      if (known.has(given)) refuse(`${title} gives ${quote(given)}, which is there already`);
      known.add(given);
    }
    const attributes = new Map<string, Attribute>();
    for (const attribute of node.attribute) {
      const what = `attribute ${quote(attribute.name)} of ${title}`;
      if (attributes.has(attribute.name)) refuse(`${what} is there twice`);
      attributes.set(attribute.name, attributeOf(attribute, what, refuse));
    }
    return { name, operator, inputs: input, outputs: output, attributes };
  });
  const outputs = graph.output.map((value) => valueOf(value, refuse));
  const unknown = outputs.find(({ name }) => !known.has(name));
  if (unknown) refuse(`nothing gives its output ${quote(unknown.name)}`);
  return { opset, nodes, initializers, inputs, outputs };
}

/** A single tensor out of a file that holds one, as ONNX's tests keep what goes in and comes out. */
export function readTensorProto(bytes: Uint8Array, fileName: string): Tensor & { name: string } {
  const refuse = refusal(fileName);
  let tensor;
  try {
    tensor = fromBinary(TensorProtoSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    return refuse(`its bytes are no tensor (${(error as Error).message.slice(0, 100)})`);
  }
  return { name: tensor.name, ...tensorOf(tensor, `tensor ${quote(tensor.name)}`, refuse) };
}

/** How a tensor is stored. */
export type Stored = "float32" | "float64" | "int64";

/** A model to be written: its tensors are float32 unless said otherwise. */
export interface Written extends OnnxModel {
  readonly stored: ReadonlyMap<string, Stored>;
  /** For people. */
  readonly description: string;
}

/** The oldest format that has the operators of that version. */
const formatOf = (opset: number) => opset >= 20 ? 9n : 7n;

/**
 * The bytes of an ONNX file.
 * @throws {RangeError} when float32 cannot hold a number.
 */
export function writeOnnx(model: Written, fileName: string): Uint8Array {
  const tensor = (name: string, { shape, data }: Tensor, stored: Stored) =>
    create(TensorProtoSchema, {
      name,
      dims: shape.map(BigInt),
      dataType: { float32: Type.FLOAT, float64: Type.DOUBLE, int64: Type.INT64 }[stored],
      rawData: stored === "int64"
        ? new Uint8Array(BigInt64Array.from(data, BigInt).buffer)
        : encode(name, { shape, data }, stored === "float32" ? 32 : 64, fileName),
    });
  const attribute = (name: string, value: Attribute) => {
    if (typeof value === "string") {
      return create(AttributeProtoSchema, {
        name,
        type: Kind.STRING,
        s: new TextEncoder().encode(value),
      });
    }
    if (typeof value === "number") { // operators with whole numbers take them in lists, but few
      const isWhole = WHOLE.has(name);
      return create(
        AttributeProtoSchema,
        isWhole ? { name, type: Kind.INT, i: BigInt(value) } : { name, type: Kind.FLOAT, f: value },
      );
    }
    if (!Array.isArray(value)) throw new TypeError(`Cannot write attribute ${name}`);
    return create(AttributeProtoSchema, { name, type: Kind.INTS, ints: value.map(BigInt) });
  };
  const value = ({ name, shape }: OnnxValue) =>
    create(ValueInfoProtoSchema, {
      name,
      type: create(TypeProtoSchema, {
        value: {
          case: "tensorType",
          value: create(TypeProto_TensorSchema, {
            elemType: Type.FLOAT,
            shape: create(TensorShapeProtoSchema, {
              dim: shape.map((length) =>
                create(TensorShapeProto_DimensionSchema, {
                  value: typeof length === "string"
                    ? { case: "dimParam", value: length }
                    : { case: "dimValue", value: BigInt(length) },
                })
              ),
            }),
          }),
        },
      }),
    });
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: formatOf(model.opset),
      producerName: "numerical-gradients",
      docString: model.description,
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: BigInt(model.opset) })],
      graph: create(GraphProtoSchema, {
        name: "network",
        node: model.nodes.map(({ name, operator, inputs, outputs, attributes }) =>
          create(NodeProtoSchema, {
            name,
            opType: operator,
            input: [...inputs],
            output: [...outputs],
            attribute: [...attributes].map(([name, value]) => attribute(name, value)),
          })
        ),
        initializer: [...model.initializers].map(([name, value]) =>
          tensor(name, value, model.stored.get(name) ?? "float32")
        ),
        input: model.inputs.map(value),
        output: model.outputs.map(value),
      }),
    }),
  );
}

/** Attributes that are one whole number. */
const WHOLE = new Set(["axis", "group", "transA", "transB", "ceil_mode", "count_include_pad"]);
