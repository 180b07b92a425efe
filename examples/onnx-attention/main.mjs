/** A transformer block in onnxruntime-web, whole, and cut in two with attention by headwise in between. */
import { createEngine } from "headwise";
import * as ort from "onnxruntime-web";
import protobuf from "protobufjs";
import { runExample, UsageError } from "../options.mjs";
import { cutAt } from "./cut.mjs";
import { generator, writeBlock } from "./model.mjs";

const RUNS = 5;

const openSession = (graph, inputs, outputs) =>
  ort.InferenceSession.create(graph.encode(protobuf, inputs, outputs), { executionProviders: ["wasm"], logSeverityLevel: 3 });

/** A part of the graph with its inputs, whose sizes it determines itself. */
const unsized = (names) => Object.fromEntries(names.map((name) => [name, undefined]));
const pick = (values, names) => Object.fromEntries(names.map((name) => [name, values[name]]));

/** The result, and the median time in milliseconds. */
async function timed(run) {
  const times = [];
  let result;
  for (let index = 0; index < RUNS; index++) {
    const began = performance.now();
    result = await run();
    times.push(performance.now() - began);
  }
  return { result, ms: times.sort((a, b) => a - b)[RUNS >> 1] };
}

async function main({ seed, rows, embed: embedDim, heads: numHeads, threads }) {
  if (embedDim % numHeads !== 0) throw new UsageError(`--embed ${embedDim}: not a multiple of --heads ${numHeads}`);
  ort.env.wasm.numThreads = threads;
  const graph = writeBlock({ seed, rows, embedDim, numHeads });
  const whole = await openSession(graph, { x: [1, rows, embedDim] }, ["out"]);

  const { before, node, after } = cutAt(graph, "Attention", ["out"]);
  const first = await openSession(before.graph, unsized(before.inputs), before.outputs);
  const second = await openSession(after.graph, unsized(after.inputs), after.outputs);
  const engine = await createEngine({ threads });
  const [qName, kName, vName] = node.input;
  const [attendedName] = node.output;

  const uniform = generator(seed + 1);
  const x = new ort.Tensor(
    "float32",
    Float32Array.from({ length: rows * embedDim }, () => 2 * uniform() - 1),
    [1, rows, embedDim],
  );
  const attend = (values) =>
    engine.scaledDotProductAttention(values[qName], values[kName], values[vName], { layout: "bhsd", causal: true });

  const uncut = await timed(() => whole.run({ x }));
  const cut = await timed(async () => {
    const values = { x, ...(await first.run({ x })) };
    const out = attend(values);
    values[attendedName] = new ort.Tensor(out.type, out.data, out.dims);
    return second.run(pick(values, after.inputs));
  });
  const values = await first.run({ x });
  const alone = await timed(() => attend(values));

  console.log(`${rows} rows of ${embedDim}, ${numHeads} heads; build ${engine.info.build}, threads ${engine.info.threads}`);
  console.log(`cut at ${node.name}: ${before.graph.nodes.length} nodes before, ${after.graph.nodes.length} after`);
  console.log(`milliseconds: uncut ${uncut.ms.toFixed(1)}, cut ${cut.ms.toFixed(1)}, of which attention ${alone.ms.toFixed(1)}`);
  const truth = uncut.result.out.data;
  const differences = cut.result.out.data.map((value, index) => Math.abs(value - truth[index]));
  const largest = (numbers) => numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
  console.log(`largest difference: ${largest(differences).toExponential(1)}, of numbers up to ${largest(truth).toFixed(1)}`);
  engine.dispose();
}

await runExample("onnx-attention", { seed: 1, rows: 256, embed: 256, heads: 8, threads: 1 }, main);
