/** Attention as a .tflite model: scale · q, a product with kᵀ, the causal bias, softmax, a product with v, for all heads at once. */
import { Builder } from "flatbuffers";
import { causalBias } from "./causalBias.mjs";

/** Operators, and the tables of their options, by their numbers in schema.fbs of TensorFlow Lite. */
const OPERATORS = {
  ADD: { code: 0, options: 11 },
  MUL: { code: 18, options: 21 },
  SOFTMAX: { code: 25, options: 9 },
  BATCH_MATMUL: { code: 126, options: 101 },
};

/** The one field of an operator's options that is not left at its default. */
const writeOptions = {
  SOFTMAX: (builder) => builder.addFieldFloat32(0, 1, 0), // beta
  BATCH_MATMUL: (builder, { transposeB }) => builder.addFieldInt8(1, transposeB ? 1 : 0, 0), // adj_y
};

export function writeModel({ shape: { numHeads, seqLen, kvLen = seqLen, headDim, causal } }) {
  const rows = [1, numHeads, seqLen, headDim];
  const keyRows = [1, numHeads, kvLen, headDim];
  const square = [1, numHeads, seqLen, kvLen];
  const tensors = [];
  const operators = [];
  const tensor = (shape, data) => tensors.push({ shape, data }) - 1;
  const apply = (operator, inputs, shape, options = {}) => {
    const output = tensor(shape);
    operators.push({ operator, inputs, output, options });
    return output;
  };

  const [q, k, v] = [tensor(rows), tensor(keyRows), tensor(keyRows)];
  const scaled = apply("MUL", [q, tensor([1], Float32Array.of(1 / Math.sqrt(headDim)))], rows);
  let scores = apply("BATCH_MATMUL", [scaled, k], square, { transposeB: true });
  if (causal) scores = apply("ADD", [scores, tensor([1, 1, seqLen, seqLen], causalBias(seqLen))], square);
  const out = apply("BATCH_MATMUL", [apply("SOFTMAX", [scores], square), v], rows);
  return encode({ tensors, operators, inputs: [q, k, v], outputs: [out] });
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
    const shape = integers(tensor.shape);
    return table(8, () => {
      builder.addFieldOffset(0, shape, 0);
      builder.addFieldInt32(2, buffer, 0);
      builder.addFieldOffset(3, name, 0);
    });
  });

  const names = Object.keys(OPERATORS);
  const operatorCodes = names.map((name) =>
    table(4, () => {
      const { code } = OPERATORS[name];
      builder.addFieldInt8(0, code, 0); // deprecated_builtin_code
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
  const modelFields = [offsets(operatorCodes), offsets([subgraph]), builder.createString("attention"), offsets(buffers)];
  const model = table(8, () => {
    builder.addFieldInt32(0, 3, 0); // version of the schema
    modelFields.forEach((offset, field) => builder.addFieldOffset(field + 1, offset, 0));
  });
  builder.finish(model, "TFL3");
  return builder.asUint8Array();
}
