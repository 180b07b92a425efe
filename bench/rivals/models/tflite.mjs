/** .tflite models. */
import { Builder } from "flatbuffers";
import { writeGraph } from "./tfliteGraphs.mjs";

/** Operators, and the tables of their options, by their numbers in schema.fbs of TensorFlow Lite. */
const OPERATORS = {
  ADD: { code: 0, options: 11 },
  FULLY_CONNECTED: { code: 9, options: 8 },
  MUL: { code: 18, options: 21 },
  RESHAPE: { code: 22, options: 17 },
  SOFTMAX: { code: 25, options: 9 },
  TRANSPOSE: { code: 39, options: 26 },
  DIV: { code: 42, options: 29 },
  SUM: { code: 74, options: 27 },
  ELU: { code: 111, options: 0 },
  BATCH_MATMUL: { code: 126, options: 101 },
  CUMSUM: { code: 128, options: 102 },
};

/** `deprecated_builtin_code` of operators whose number does not fit into it. */
const LATER_CODE = 127;

/** The only field of an operator's options that is not left at its default. */
const writeOptions = {
  SOFTMAX: (builder) => builder.addFieldFloat32(0, 1, 0), // beta
  SUM: (builder) => builder.addFieldInt8(0, 1, 0), // keep_dims
  BATCH_MATMUL: (builder, { transposeB }) => builder.addFieldInt8(1, transposeB ? 1 : 0, 0), // adj_y
  CUMSUM: (builder) => builder.addFieldInt8(0, 1, 0), // exclusive
};

const FLOAT32 = 0;
const INT32 = 2;

/** A graph, built operator by operator. Values are tensor numbers. */
class Graph {
  tensors = [];
  operators = [];

  /** @param data  of a constant */
  tensor(dims, data) {
    return this.tensors.push({ dims, data }) - 1;
  }

  integers(...values) {
    return this.tensor([values.length], Int32Array.from(values));
  }

  dimsOf(tensor) {
    return this.tensors[tensor].dims;
  }

  /** Returns the result, of sizes `dims`. */
  apply(operator, inputs, dims, options = {}) {
    const output = this.tensor(dims);
    this.operators.push({ operator, inputs, output, options });
    return output;
  }
}

export function writeModel(task) {
  const graph = new Graph();
  const inputs = Object.entries(task.inputs).map(([name, { dims }]) => [name, graph.tensor(dims)]);
  const output = writeGraph(graph, task, Object.fromEntries(inputs));
  return encode({ ...graph, inputs: inputs.map(([, tensor]) => tensor), outputs: [output] });
}

/** The tables of schema.fbs, each field by its number there. */
function encode({ tensors, operators, inputs, outputs }) {
  const builder = new Builder(1 << 20);
  const table = (fields, write) => {
    builder.startObject(fields);
    write();
    return builder.endObject();
  };
  const vector = (values, add) => {
    builder.startVector(4, values.length, 4);
    for (const value of values.toReversed()) add(value);
    return builder.endVector();
  };
  const offsets = (values) => vector(values, (offset) => builder.addOffset(offset));
  const integers = (values) => vector(values, (value) => builder.addInt32(value));

  const buffers = [table(3, () => {})]; // by convention the first one is empty
  const bufferOf = ({ data }) => {
    if (!data) return 0;
    builder.prep(16, data.byteLength);
    const bytes = builder.createByteVector(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return buffers.push(table(3, () => builder.addFieldOffset(0, bytes, 0))) - 1;
  };
  const tensorTables = tensors.map((tensor, index) => {
    const buffer = bufferOf(tensor);
    const name = builder.createString(`tensor ${index}`);
    const shape = integers(tensor.dims);
    return table(8, () => {
      builder.addFieldOffset(0, shape, 0);
      builder.addFieldInt8(1, tensor.data instanceof Int32Array ? INT32 : FLOAT32, FLOAT32);
      builder.addFieldInt32(2, buffer, 0);
      builder.addFieldOffset(3, name, 0);
    });
  });

  const names = Object.keys(OPERATORS);
  const operatorCodes = names.map((name) =>
    table(4, () => {
      const { code } = OPERATORS[name];
      builder.addFieldInt8(0, Math.min(code, LATER_CODE), 0); // deprecated_builtin_code
      builder.addFieldInt32(2, 1, 1); // version
      builder.addFieldInt32(3, code, 0); // builtin_code
    }),
  );
  const operatorTables = operators.map(({ operator, inputs, output, options }) => {
    const inputVector = integers(inputs);
    const outputVector = integers([output]);
    const optionTable = table(4, () => writeOptions[operator]?.(builder, options));
    return table(9, () => {
      builder.addFieldInt32(0, names.indexOf(operator), 0);
      builder.addFieldOffset(1, inputVector, 0);
      builder.addFieldOffset(2, outputVector, 0);
      builder.addFieldInt8(3, OPERATORS[operator].options, 0);
      builder.addFieldOffset(4, optionTable, 0);
    });
  });

  const subgraphFields = [offsets(tensorTables), integers(inputs), integers(outputs), offsets(operatorTables)];
  const subgraph = table(5, () => subgraphFields.forEach((offset, field) => builder.addFieldOffset(field, offset, 0)));
  const modelFields = [offsets(operatorCodes), offsets([subgraph]), builder.createString("graph"), offsets(buffers)];
  const model = table(8, () => {
    builder.addFieldInt32(0, 3, 0); // version of the schema
    modelFields.forEach((offset, field) => builder.addFieldOffset(field + 1, offset, 0));
  });
  builder.finish(model, "TFL3");
  return builder.asUint8Array();
}
