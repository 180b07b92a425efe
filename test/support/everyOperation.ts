/** Every operation that takes tensors, called with tensors in some form and with places of some kind; for tests of what is accepted. */
import type { PlaceTensor, TensorLike, WorkerEngine } from "headwise";
import { eighths, randomMask, type TestTensor } from "./random.js";

/** A tensor in the form that is tested. */
export type Form = (tensor: TestTensor) => TensorLike;

export const [q, k, v] = [eighths([2, 5, 4, 8], 1), eighths([2, 7, 2, 8], 2), eighths([2, 7, 2, 8], 3)];
export const x = eighths([2, 5, 8], 4);
export const matrix = eighths([8, 8], 5);
export const row = eighths([8], 6);
export const mask = randomMask([5, 7], 7, 0.6);

export interface Result {
  readonly data: unknown;
}
export type Place = (name: string, dims: readonly number[]) => PlaceTensor | undefined;
/** Every operation that takes tensors, whose places come from `place`. */
export type Operation = (engine: WorkerEngine, form: Form, place: Place) => Promise<Result>;

export const OPERATIONS: Record<string, Operation> = {
  scaledDotProductAttention: (engine, form, place) =>
    engine.scaledDotProductAttention(form(q), form(k), form(v), {
      bias: form(eighths([5, 7], 8)),
      sinks: form(eighths([4], 9)),
      out: place("out", q.dims),
      logSumExp: place("logSumExp", [2, 4, 5]),
      weights: place("weights", [2, 4, 5, 7]),
      scores: place("scores", [2, 4, 5, 7]),
    }),
  topKAttention: (engine, form, place) =>
    engine.topKAttention(form(q), form(k), form(v), { count: 3 }, { sinks: form(eighths([4], 9)), out: place("out", q.dims) }),
  hardAttention: (engine, form, place) =>
    engine.hardAttention(
      form(q),
      form(k),
      form(v),
      { choose: "sample", seed: 1, picks: place("picks", [2, 4, 5]) },
      { out: place("out", q.dims), weights: place("weights", [2, 4, 5, 7]) },
    ),
  localAttention: (engine, form, place) =>
    engine.localAttention(
      form(q),
      form(k),
      form(v),
      { halfWidth: 2, predictor: { weight: form(eighths([4, 3, 8], 16)), score: form(eighths([3], 17)) } },
      { out: place("out", q.dims), logSumExp: place("logSumExp", [2, 4, 5]) },
    ),
  "localAttention, centres": (engine, form, place) =>
    engine.localAttention(
      form(q),
      form(k),
      form(v),
      { halfWidth: 2, centers: form(eighths([2, 4, 5], 18)), renormalize: true },
      { out: place("out", q.dims) },
    ),
  "scaledDotProductAttention, by distances": (engine, form, place) =>
    engine.scaledDotProductAttention(form(q), form(k), form(v), {
      alibiSlopes: form(eighths([2, 4], 16)),
      relativeBias: form(eighths([4, 5], 17)),
      relativeKeys: form(eighths([7, 4, 8], 18)),
      contentBias: form(eighths([4, 8], 19)),
      positionBias: form(eighths([4, 8], 20)),
      relativeZero: 3,
      out: place("out", q.dims),
    }),
  mergeAttention: (engine, form, place) =>
    engine.mergeAttention(
      [
        { out: form(q), logSumExp: form(eighths([2, 4, 5], 10)) },
        { out: form(q), logSumExp: form(eighths([2, 4, 5], 11)) },
      ],
      { out: place("out", q.dims), logSumExp: place("logSumExp", [2, 4, 5]) },
    ),
  "KVCache.append and attend": async (engine, form, place) => {
    const cache = await engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 9 });
    await cache.append(form(k), form(v));
    const result = await cache.attend(form(q), { out: place("out", q.dims) });
    await cache.dispose();
    return result;
  },
  matmul: (engine, form, place) => engine.matmul(form(x), form(matrix), { bias: form(row), out: place("out", x.dims) }),
  "matmul, accumulating": (engine, form, place) => {
    const out = place("out", x.dims) ?? { data: x.data.slice(), dims: x.dims };
    return engine.matmul(form(x), form(matrix), { accumulate: true, out });
  },
  packMatrix: async (engine, form, place) => {
    const packed = await engine.packMatrix(form(matrix));
    const result = await engine.matmul(form(x), packed, { out: place("out", x.dims) });
    await packed.dispose();
    return result;
  },
  softmax: (engine, form, place) => engine.softmax(form(x), { bias: form(row), out: place("out", x.dims) }),
  layerNorm: (engine, form, place) => engine.layerNorm(form(x), { weight: form(row), bias: form(row), out: place("out", x.dims) }),
  rmsNorm: (engine, form, place) => engine.rmsNorm(form(x), { weight: form(row), out: place("out", x.dims) }),
  rotary: (engine, form, place) => {
    const [cos, sin] = [eighths([5, 4], 12), eighths([5, 4], 13)];
    return engine.rotary(form(q), {
      tables: { cos: form(cos), sin: form(sin) },
      out: place("out", q.dims),
    });
  },
  activate: (engine, form, place) => engine.activate(form(x), "silu", { gate: form(x), out: place("out", x.dims) }),
  add: (engine, form, place) => engine.add(form(x), form(row), { out: place("out", x.dims) }),
  linearAttention: (engine, form, place) =>
    engine.linearAttention(form(k), form(k), form(v), {
      rule: "gated_delta",
      causal: true,
      decay: form({ data: eighths([2, 7, 2], 14).data.map((each) => -Math.abs(each)), dims: [2, 7, 2] }),
      beta: form(eighths([2, 7, 2], 15)),
      out: place("out", k.dims),
    }),
  "LinearAttentionState.step": async (engine, form, place) => {
    const state = await engine.createLinearAttentionState({ batchSize: 2, numKvHeads: 2, headDim: 8, rule: "linear" });
    const result = await state.step(form(k), form(k), form(v), { out: place("out", k.dims) });
    await state.dispose();
    return result;
  },
  "MultiHeadAttention.forward": async (engine, form, place) => {
    const parameters = { q: form(matrix), k: form(matrix), v: form(matrix), out: form(matrix), outBias: form(row) };
    const layer = await engine.createMultiHeadAttention({ embedDim: 8, numHeads: 2 }, parameters);
    const result = await layer.forward(form(x), {
      key: form(x),
      out: place("out", x.dims),
      weights: place("weights", [2, 2, 5, 5]),
      averageWeights: place("averageWeights", [2, 5, 5]),
    });
    await layer.dispose();
    return result;
  },
};

export const asIs: Form = (tensor) => tensor;
export const nowhere: Place = () => undefined;
export const count = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** Places of one type by name; each begins with x where it is read first. */
export function places(make: (data: Float32Array, dims: readonly number[]) => PlaceTensor) {
  const found: Record<string, PlaceTensor> = {};
  const place: Place = (name, dims) => {
    const start = count(dims) === x.data.length ? x.data : new Float32Array(count(dims));
    return (found[name] = make(Float32Array.from(start), dims));
  };
  return { found, place };
}
export const float32Place = (data: Float32Array, dims: readonly number[]): PlaceTensor => ({ data, dims });
