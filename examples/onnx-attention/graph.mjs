/** ONNX graphs, written operator by operator. protobufjs is the caller's, so that this file works from any folder. */

/** The part of onnx.proto that these models need. */
const SCHEMA = `syntax = "proto2";
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
  message AttributeProto {
    optional string name = 1; optional float f = 2; optional int64 i = 3; optional bytes s = 4; repeated int64 ints = 8;
    optional int32 type = 20;
  }
  message TensorProto { repeated int64 dims = 1; optional int32 data_type = 2; optional string name = 8; optional bytes raw_data = 9; }
  message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
  message TypeProto { optional Tensor tensor_type = 1; }
  message Tensor { optional int32 elem_type = 1; optional TensorShapeProto shape = 2; }
  message TensorShapeProto { repeated Dimension dim = 1; }
  message Dimension { optional int64 dim_value = 1; }`;

const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;

/** The operators of ONNX and of onnxruntime. */
const OPERATOR_SETS = [
  { domain: "", version: 23 },
  { domain: "com.microsoft", version: 1 },
];

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

/** A number is an integer unless it is given as { float }. */
function attribute(name, value) {
  if (typeof value === "string") return { name, s: new TextEncoder().encode(value), type: 3 };
  if (Array.isArray(value)) return { name, ints: value, type: 7 };
  return typeof value === "number" ? { name, i: value, type: 2 } : { name, f: value.float, type: 1 };
}

/** A graph, built operator by operator. Values are identified by name. */
export class Graph {
  nodes = [];
  initializers = [];

  constant(data, dims, name = `constant ${this.initializers.length}`) {
    this.initializers.push(initializer(name, data, dims));
    return name;
  }

  /**
   * Returns the name of the first result.
   *
   * @param domain  "com.microsoft" for onnxruntime's own operators
   * @param name    of the first result, where it matters
   */
  apply(operator, input, attributes = {}, { domain = "", outputs = 1, name } = {}) {
    const node = `${operator} ${this.nodes.length}`;
    const output = Array.from({ length: outputs }, (_, index) => `${node} result ${index}`);
    if (name !== undefined) output[0] = name;
    const attributeList = Object.entries(attributes).map(([key, value]) => attribute(key, value));
    this.nodes.push({ name: node, op_type: operator, domain, input, output, attribute: attributeList });
    return output[0];
  }

  /**
   * The model as a file holds it.
   *
   * @param inputs   sizes by name
   * @param outputs  names
   */
  encode(protobuf, inputs, outputs) {
    const ModelProto = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("ModelProto");
    const graph = {
      name: "graph",
      node: this.nodes,
      initializer: this.initializers,
      input: Object.entries(inputs).map(([name, dims]) => value(name, dims)),
      output: outputs.map((name) => value(name)),
    };
    return ModelProto.encode({ ir_version: 10, opset_import: OPERATOR_SETS, graph }).finish();
  }
}
