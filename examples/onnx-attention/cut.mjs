/** A graph cut in two at one of its nodes. */
import { Graph } from "./graph.mjs";

/**
 * @param operator  of the node; its first occurrence is used
 * @returns `before` and `after`, graphs with the names of their inputs and outputs; `node`, which is in neither
 */
export function cutAt(graph, operator, outputs) {
  const index = graph.nodes.findIndex(({ op_type }) => op_type === operator);
  if (index < 0) throw new Error(`the graph has no node ${operator}`);
  const node = graph.nodes[index];
  const before = part(graph, graph.nodes.slice(0, index));
  const after = part(graph, graph.nodes.slice(index + 1));

  const made = new Set(before.graph.nodes.flatMap(({ output }) => output));
  const wanted = new Set([...node.input, ...after.inputs, ...outputs]);
  return {
    before: { ...before, outputs: [...made].filter((name) => wanted.has(name)) },
    node,
    after: { ...after, outputs },
  };
}

/** Nodes as a separate graph, with the constants that they use; everything else that they use becomes its inputs. */
function part({ initializers }, nodes) {
  const graph = new Graph();
  graph.nodes = nodes;
  const used = new Set(nodes.flatMap(({ input }) => input).filter((name) => name !== ""));
  graph.initializers = initializers.filter(({ name }) => used.delete(name));
  for (const { output } of nodes) for (const name of output) used.delete(name);
  return { graph, inputs: [...used] };
}
