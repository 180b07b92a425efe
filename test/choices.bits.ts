/** Attention to chosen keys, and to windows around centres. */
import type { Float32Tensor, HardParameters, LocalParameters } from "headwise";
import { type BitsCase, casesOf, type Outputs } from "./bits/case.js";
import { type Inputs, place } from "./bits/inputs.js";

const [seqLen, kvLen, numHeads] = [20, 600, 4];

const tensors = (inputs: Inputs) => ({
  q: inputs.numbers([2, seqLen, numHeads, 24]),
  k: inputs.numbers([2, kvLen, 2, 24]),
  v: inputs.numbers([2, kvLen, 2, 11]),
});
const rowsOf = () => place(2, numHeads, seqLen);

const topK = (count: number): BitsCase =>
  casesOf("choices", "Engine.topKAttention")(`the ${count} largest scores`, (engine, inputs): Outputs => {
    const { q, k, v } = tensors(inputs);
    const [logSumExp, weights] = [rowsOf(), place(2, numHeads, seqLen, kvLen)];
    const out = engine.topKAttention(q, k, v, { count }, { causal: true, logSumExp, weights }).data;
    return { out, logSumExp: logSumExp.data, weights: weights.data };
  });

const hard = (name: string, parameters: HardParameters): BitsCase =>
  casesOf("choices", "Engine.hardAttention")(name, (engine, inputs): Outputs => {
    const { q, k, v } = tensors(inputs);
    const [logSumExp, picks] = [rowsOf(), rowsOf()];
    const out = engine.hardAttention(q, k, v, { ...parameters, picks }, { scale: 0.5, logSumExp }).data;
    return { out, logSumExp: logSumExp.data, picks: picks.data };
  });

const local = (name: string, parametersOf: (inputs: Inputs) => LocalParameters): BitsCase =>
  casesOf("choices", "Engine.localAttention")(name, (engine, inputs): Outputs => {
    const { q, k, v } = tensors(inputs);
    const [logSumExp, weights] = [rowsOf(), place(2, numHeads, seqLen, kvLen)];
    const out = engine.localAttention(q, k, v, parametersOf(inputs), { logSumExp, weights }).data;
    return { out, logSumExp: logSumExp.data, weights: weights.data };
  });

const centersIn = (inputs: Inputs): Float32Tensor => inputs.between(-3, kvLen + 3, [2, numHeads, seqLen]);

export default [
  ...[1, 7, 300].map(topK),
  hard("the largest score", {}),
  hard("a sample", { choose: "sample", seed: 4_000_000_000 }),
  local("windows around positions", () => ({ halfWidth: 9 })),
  local("windows around centres", (inputs) => ({ halfWidth: 30.5, centers: centersIn(inputs) })),
  local("windows around centres, renormalized", (inputs) => ({ halfWidth: 5, centers: centersIn(inputs), renormalize: true })),
  local("windows around predicted centres", (inputs) => ({
    halfWidth: 12,
    predictor: { weight: inputs.numbers([numHeads, 6, 24]), score: inputs.numbers([6]) },
  })),
];
