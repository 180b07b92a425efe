/** ONNX models. */
import protobuf from "protobufjs";
import { Graph } from "../../../examples/onnx-attention/graph.mjs";
import { writeGraph } from "./onnxGraphs.mjs";

/**
 * Copied inputs are fed at each call and "out" is fetched. Resident inputs are part of the model, because nothing else stays in the
 * library's memory, and only "corner" is fetched, one element of "out".
 */
export function writeModel(task, variant) {
  const { inputs, constants, io } = task;
  const graph = new Graph();
  for (const [name, { data, dims }] of Object.entries(constants)) graph.constant(data, dims, name);
  const rank = writeGraph(graph, task, variant);
  graph.nodes.at(-1).output[0] = "out";
  if (io !== "resident") {
    const sizes = Object.fromEntries(Object.entries(inputs).map(([name, { dims }]) => [name, dims]));
    return graph.encode(protobuf, sizes, ["out"]);
  }
  for (const [name, { data, dims }] of Object.entries(inputs)) graph.constant(data, dims, name);
  const bounds = [0n, 1n].map((bound) => graph.constant(new BigInt64Array(rank).fill(bound), [rank]));
  graph.apply("Slice", ["out", ...bounds], {}, { name: "corner" });
  return graph.encode(protobuf, {}, ["out", "corner"]);
}
