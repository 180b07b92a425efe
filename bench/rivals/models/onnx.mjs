/** Attention as an ONNX model of one operator. */
import protobuf from "protobufjs";

/** The part of onnx.proto that such a model needs. */
const { root } = protobuf.parse(
  `syntax = "proto2";
  message ModelProto { optional int64 ir_version = 1; optional GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8; }
  message OperatorSetIdProto { optional string domain = 1; optional int64 version = 2; }
  message GraphProto {
    repeated NodeProto node = 1; optional string name = 2; repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
  }
  message NodeProto {
    repeated string input = 1; repeated string output = 2; optional string name = 3; optional string op_type = 4;
    repeated AttributeProto attribute = 5; optional string domain = 7;
  }
  message AttributeProto { optional string name = 1; optional int64 i = 3; optional int32 type = 20; }
  message TensorProto { repeated int64 dims = 1; optional int32 data_type = 2; optional string name = 8; optional bytes raw_data = 9; }
  message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
  message TypeProto { optional Tensor tensor_type = 1; }
  message Tensor { optional int32 elem_type = 1; optional TensorShapeProto shape = 2; }
  message TensorShapeProto { repeated Dimension dim = 1; }
  message Dimension { optional int64 dim_value = 1; }`,
  { keepCase: true },
);
const ModelProto = root.lookupType("ModelProto");

const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;
const ATTRIBUTE_INT = 2;

const bytesOf = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength);

const initializer = (name, data, dims) => ({
  name,
  dims,
  data_type: data instanceof Float32Array ? FLOAT : data instanceof Int32Array ? INT32 : INT64,
  raw_data: bytesOf(data),
});
const value = (name, dims) => ({
  name,
  type: { tensor_type: { elem_type: FLOAT, shape: dims && { dim: dims.map((size) => ({ dim_value: size })) } } },
});

const attributes = (values) => Object.entries(values).map(([name, i]) => ({ name, i, type: ATTRIBUTE_INT }));

/** The operators: Attention of opset 23, and two of onnxruntime's own. */
const OPERATORS = {
  Attention: ({ causal }) => ({ attribute: attributes({ is_causal: causal ? 1 : 0 }) }),
  MultiHeadAttention: ({ numHeads, causal }) => ({
    domain: "com.microsoft",
    attribute: attributes({ num_heads: numHeads, unidirectional: causal ? 1 : 0 }),
  }),
  GroupQueryAttention: ({ numHeads, numKvHeads }) => ({
    domain: "com.microsoft",
    input: ["q", "k", "v", "", "", "lastKey", "kvLen"],
    output: ["out", "presentK", "presentV"],
    attribute: attributes({ num_heads: numHeads, kv_num_heads: numKvHeads }),
  }),
};

/**
 * Copied inputs are fed to q, k and v at each call and "out" is fetched. Resident inputs are part of the model, as nothing else stays
 * in the library's memory, and "corner" is fetched, one element of "out".
 */
export function writeModel({ q, k, v, variant, shape, io }) {
  const operands = Object.entries({ q, k, v });
  const rank = q.dims.length;
  const attention = {
    ...{ name: "attention", op_type: variant.operator, input: ["q", "k", "v"], output: ["out"] },
    ...OPERATORS[variant.operator](shape),
  };
  const corner = { name: "slice", op_type: "Slice", input: ["out", "zeros", "ones"], output: ["corner"] };
  const lengths = [
    initializer("lastKey", Int32Array.of(shape.seqLen - 1), [1]),
    initializer("kvLen", Int32Array.of(shape.seqLen), [1]),
  ].filter(({ name }) => attention.input.includes(name));
  const graph =
    io === "resident"
      ? {
          node: [attention, corner],
          output: [value("out"), value("corner")],
          initializer: [
            ...lengths,
            ...operands.map(([name, { data, dims }]) => initializer(name, data, dims)),
            initializer("zeros", new BigInt64Array(rank), [rank]),
            initializer("ones", new BigInt64Array(rank).fill(1n), [rank]),
          ],
        }
      : {
          node: [attention],
          input: operands.map(([name, { dims }]) => value(name, dims)),
          output: [value("out")],
          initializer: lengths,
        };
  const opset_import = [
    { domain: "", version: 23 },
    { domain: "com.microsoft", version: 1 },
  ];
  return ModelProto.encode({ ir_version: 10, opset_import, graph: { name: "attention", ...graph } }).finish();
}
