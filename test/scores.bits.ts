/** Additive, bilinear and cosine attention. */
import type { Float32Tensor } from "headwise";
import { type BitsCase, casesOf, type Outputs } from "./bits/case.js";
import { type Inputs, type Numbers, place } from "./bits/inputs.js";

const additive = casesOf("scores", "Engine.additiveAttention");
const bilinear = casesOf("scores", "Engine.bilinearAttention");
const cosine = casesOf("scores", "Engine.cosineAttention");

/** Rows and keys in more than one block, heads in groups; each row and key is as large as another draw says. */
function tensors(inputs: Inputs, kDim: number, exponents: readonly number[] = [0]) {
  const [seqLen, kvLen, numHeads, numKvHeads, headDim] = [19, 530, 4, 2, 12];
  const sized = ({ data, dims }: Numbers): Numbers => {
    const width = dims.at(-1)!;
    for (let row = 0; row < data.length; row += width) {
      const factor = 2 ** exponents[inputs.integer(0, exponents.length - 1)]!;
      for (let c = 0; c < width; c++) data[row + c]! *= factor;
    }
    return { data, dims };
  };
  return {
    q: sized(inputs.numbers([1, seqLen, numHeads, headDim])),
    k: sized(inputs.numbers([1, kvLen, numKvHeads, kDim])),
    v: inputs.numbers([1, kvLen, numKvHeads, 5]),
    logSumExp: place(1, numHeads, seqLen),
    scores: place(1, numHeads, seqLen, kvLen),
  };
}

/** What a call that was given these places has written. */
const written = (out: Float32Tensor, { logSumExp, scores }: ReturnType<typeof tensors>): Outputs => ({
  out: out.data,
  logSumExp: logSumExp.data,
  scores: scores.data,
});

const OPTIONS = { causal: true, window: 500, sinkTokens: 2 };

export default [
  additive("additive, rows and keys of every size", (engine, inputs) => {
    const given = tensors(inputs, 12, [-9, -3, 0, 2, 4, 6]);
    const parameters = { query: inputs.numbers([12, 12], 0.5), score: inputs.numbers([4, 12]), bias: inputs.numbers([12], 0.01) };
    const { q, k, v, logSumExp, scores } = given;
    return written(engine.additiveAttention(q, k, v, parameters, { ...OPTIONS, logSumExp, scores }), given);
  }),
  ...(["tanh", "relu", "gelu"] as const).map((activation) =>
    additive(`additive, projected keys, ${activation}`, (engine, inputs) => {
      const given = tensors(inputs, 7);
      const parameters = {
        query: inputs.numbers([4, 9, 12], 0.3),
        key: inputs.numbers([2, 9, 7], 0.3),
        score: inputs.numbers([9], 3),
        activation,
      };
      const { q, k, v, logSumExp, scores } = given;
      return written(engine.additiveAttention(q, k, v, parameters, { logSumExp, scores, scale: 0.7 }), given);
    }),
  ),
  additive("additive, large and small elements of u", (engine, inputs) => {
    const given = tensors(inputs, 12, [-12, 0]);
    const score = inputs.numbers([12], 1e20);
    for (let c = 0; c < 12; c += 3) score.data[c]! *= 1e-18;
    const { q, k, v, logSumExp, scores } = given;
    const parameters = { query: inputs.numbers([12, 12], 0.1), score };
    return written(engine.additiveAttention(q, k, v, parameters, { logSumExp, scores, scale: 1e-20 }), given);
  }),
  bilinear("bilinear, one matrix, and one of each head", (engine, inputs) => {
    const given = tensors(inputs, 7);
    const { q, k, v, logSumExp, scores } = given;
    const one = engine.bilinearAttention(q, k, v, { weight: inputs.numbers([12, 7], 0.2) }, OPTIONS);
    const each = engine.bilinearAttention(q, k, v, { weight: inputs.numbers([4, 12, 7], 0.2) }, { logSumExp, scores });
    return { one: one.data, ...written(each, given) };
  }),
  cosine("cosine, rows and keys of every size", (engine, inputs) => {
    const given = tensors(inputs, 12, [-110, -60, 0, 30, 120]);
    const { q, k, v, logSumExp, scores } = given;
    k.data.fill(0, 0, 12);
    return written(engine.cosineAttention(q, k, v, { ...OPTIONS, logSumExp, scores, scale: 9 }), given);
  }),
  casesOf(
    "scores",
    "Engine.additiveAttention",
    "Engine.bilinearAttention",
    "Engine.cosineAttention",
    "Engine.createKVCache",
  )(
    "on caches",
    (engine, inputs) => {
      const { q, k, v } = tensors(inputs, 12);
      const weight = inputs.numbers([12, 12], 0.2);
      const outputs: Record<string, Float32Array> = {};
      for (const dtype of ["float32", "int8"] as const) {
        const cache = engine.createKVCache({ numKvHeads: 2, headDim: 12, valueDim: 5, capacity: 530, dtype });
        cache.append(k, v);
        outputs[`bilinear ${dtype}`] = engine.bilinearAttention(q, cache, null, { weight }).data;
        outputs[`cosine ${dtype}`] = engine.cosineAttention(q, cache, null).data;
        if (dtype === "float32") {
          outputs["additive"] = engine.additiveAttention(q, cache, null, { query: weight, score: inputs.numbers([12]) }).data;
        }
        cache.dispose();
      }
      return outputs;
    },
    "KVCache.append",
  ),
] satisfies readonly BitsCase[];
