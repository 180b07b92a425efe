/** The attentions of `headwise/reference` against one another and against explicit loops. */
import { describe, expect, test } from "vitest";
import {
  additiveAttention,
  bilinearAttention,
  cosineAttention,
  hardAttention,
  localAttention,
  type ReferenceTensor,
  scaledDotProductAttention,
  topKAttention,
} from "headwise/reference";
import { SENTENCE } from "../examples/start/sentence.js";
import { BATCH, DIM, expectNear, HEADS, identity, k, KEYS, KV_HEADS, place, q, ROWS, tensor, v } from "./support/definitions.js";
import { countOf, normal } from "./support/random.js";

describe("scores", () => {
  const hidden = 5;
  const [query, key, score] = [normal([hidden, DIM], 21), normal([hidden, DIM], 22), normal([hidden], 23)];

  test("additive: without weights the mean of v; with A = I and B = 0 a query-free tanh of the keys, as scores say", () => {
    const zero = { data: new Float32Array(hidden * DIM), dims: [hidden, DIM] };
    const equal = scaledDotProductAttention(q, k, v, { scale: 0 }).data;
    expectNear(additiveAttention(q, k, v, { query: zero, key: zero, score }).data, equal);
    const scores = place(1, 2);
    const parameters = { query: tensor([0], [0]), key: tensor([1], [2]), score: { data: [1, 10], dims: [2] } };
    additiveAttention(tensor([7]), tensor([0.3], [-1]), tensor([1], [1]), parameters, { scores });
    expectNear(scores.data, [Math.tanh(0.3) + 10 * Math.tanh(0.6), Math.tanh(-1) + 10 * Math.tanh(-2)]);
  });

  test("additive ≡ MLP: w₂ᵀ tanh(W₁ [q; k] + b) with W₁ = [B, A]", () => {
    const bias = normal([hidden], 24);
    const scores = place(BATCH, HEADS, ROWS, KEYS);
    additiveAttention(q, k, v, { query, key, score, bias }, { scores });
    const first = Array.from({ length: hidden }, (_, n) => [
      ...query.data.subarray(n * DIM, (n + 1) * DIM),
      ...key.data.subarray(n * DIM, (n + 1) * DIM),
    ]);
    for (const [index, found] of scores.data.entries()) {
      const [j, i] = [index % KEYS, Math.floor(index / KEYS) % ROWS];
      const [h, b] = [Math.floor(index / KEYS / ROWS) % HEADS, Math.floor(index / KEYS / ROWS / HEADS)];
      const qStart = ((b * ROWS + i) * HEADS + h) * DIM;
      const kStart = ((b * KEYS + j) * KV_HEADS + Math.floor(h / 2)) * DIM;
      const both = [...q.data.subarray(qStart, qStart + DIM), ...k.data.subarray(kStart, kStart + DIM)];
      const units = first.map((row, n) => Math.tanh(row.reduce((sum, w, d) => sum + w * both[d]!, bias.data[n]!)));
      expect(found).toBeCloseTo(
        units.reduce((sum, unit, n) => sum + unit * score.data[n]!, 0),
        12,
      );
    }
  });

  test("additive: parameters of each head ≡ shared ones that are equal, and keys that are projected already", () => {
    const repeated = ({ data, dims }: ReferenceTensor, heads = HEADS): ReferenceTensor => ({
      data: Array.from({ length: heads }, () => Array.from(data)).flat(),
      dims: [heads, ...dims],
    });
    for (const activation of ["tanh", "relu", "gelu"] as const) {
      const shared = additiveAttention(q, k, v, { query, key, score, activation });
      const parameters = { query: repeated(query), key: repeated(key, KV_HEADS), score: repeated(score), activation };
      expectNear(additiveAttention(q, k, v, parameters).data, shared.data);
      const projected = { data: new Float64Array(BATCH * KEYS * KV_HEADS * hidden), dims: [BATCH, KEYS, KV_HEADS, hidden] };
      for (const index of projected.data.keys()) {
        const [row, n] = [Math.floor(index / hidden), index % hidden];
        for (let d = 0; d < DIM; d++) projected.data[index]! += key.data[n * DIM + d]! * k.data[row * DIM + d]!;
      }
      expectNear(additiveAttention(q, projected, v, { query, score, activation }).data, shared.data);
    }
  });

  test("bilinear with U = I ≡ dot at scale 1; with any U ≡ dot with Uᵀq, rectangular too", () => {
    const dot = scaledDotProductAttention(q, k, v, { scale: 1, causal: true });
    expectNear(bilinearAttention(q, k, v, { weight: identity(DIM) }, { causal: true }).data, dot.data);
    const weight = normal([HEADS, 4, DIM], 25);
    const short = normal([BATCH, ROWS, HEADS, 4], 26);
    const turned = { data: new Float64Array(BATCH * ROWS * HEADS * DIM), dims: [BATCH, ROWS, HEADS, DIM] };
    for (const index of turned.data.keys()) {
      const [row, d] = [Math.floor(index / DIM), index % DIM];
      for (let c = 0; c < 4; c++) {
        turned.data[index]! += weight.data[((row % HEADS) * 4 + c) * DIM + d]! * short.data[row * 4 + c]!;
      }
    }
    expectNear(bilinearAttention(short, k, v, { weight }).data, scaledDotProductAttention(turned, k, v, { scale: 1 }).data);
  });

  test("cosine does not change with positive factors on q or k; a zero vector has cosine 0", () => {
    const times = ({ data, dims }: ReferenceTensor, factor: number) => ({ data: Array.from(data, (x) => factor * x), dims });
    const scores = place(BATCH, HEADS, ROWS, KEYS);
    const out = cosineAttention(q, k, v, { scores, scale: 4 });
    expectNear(cosineAttention(times(q, 3), times(k, 0.1), v, { scale: 4 }).data, out.data);
    expect(Math.max(...scores.data.map(Math.abs))).toBeLessThanOrEqual(4);
    const [found, ones] = [place(1, 3), tensor([1], [1], [1])];
    cosineAttention(tensor([3, 4]), tensor([0, 0], [4, 3], [-3, -4]), ones, { scores: found });
    expectNear(found.data, [0, 24 / 25, -1]);
  });
});

describe("which keys", () => {
  test("topK with every key ≡ all; with one ≡ hard; ties: the lower key", () => {
    const all = scaledDotProductAttention(q, k, v, { causal: true });
    expectNear(topKAttention(q, k, v, { count: KEYS }, { causal: true }).data, all.data);
    expectNear(topKAttention(q, k, v, { count: 1 }).data, hardAttention(q, k, v).data);
    const [weights, logSumExp] = [place(1, 4), place(1)];
    topKAttention(tensor([1]), tensor([1], [2], [1], [1]), tensor([1], [1], [1], [1]), { count: 3 }, { weights, logSumExp });
    const sum = Math.E ** 2 + 2 * Math.E;
    expectNear(weights.data, [Math.E / sum, Math.E ** 2 / sum, Math.E / sum, 0]);
    expect(logSumExp.data[0]).toBeCloseTo(Math.log(sum), 12);
  });

  test("keys that are not kept do not change the result, whatever their values", () => {
    const values = tensor([4], [NaN], [8]);
    expect(topKAttention(tensor([1]), tensor([1], [0], [1]), values, { count: 2 }).data[0]).toBe(6);
    expect(hardAttention(tensor([1]), tensor([1], [0], [2]), values).data[0]).toBe(8);
  });

  test("hard: argmax ≡ gather, ties go to the lowest key, −1 without keys", () => {
    const picks = place(1, 1, 3);
    const [weights, logSumExp] = [place(3, 3), place(3)];
    const out = hardAttention(
      tensor([0], [1], [-1]),
      tensor([1], [2], [2]),
      tensor([4], [8], [9]),
      { picks },
      { causal: true, queryOffset: -1, weights, logSumExp },
    );
    expect([...picks.data]).toEqual([-1, 0, 0]);
    expect([...out.data]).toEqual([0, 4, 4]);
    expect([...weights.data]).toEqual([0, 0, 0, 1, 0, 0, 1, 0, 0]);
    expect([...logSumExp.data]).toEqual([-Infinity, 1, -1]);
    const tie = place(1);
    hardAttention(tensor([1]), tensor([1], [2], [2]), tensor([4], [8], [9]), { picks: tie });
    expect(tie.data[0]).toBe(1);
  });

  test("hard: frequencies of samples are the weights (χ² below its 99.9 % quantile of 13.8 with 2 degrees of freedom)", () => {
    const rows = 20_000;
    const picks = place(1, 1, rows);
    const queries = { data: new Float64Array(rows).fill(1), dims: [rows, 1] };
    const keys = tensor([0], [1], [-1]);
    hardAttention(queries, keys, tensor([1], [2], [3]), { choose: "sample", seed: 5, picks });
    const weights = place(1, 3);
    scaledDotProductAttention(tensor([1]), keys, keys, { weights });
    let chiSquared = 0;
    for (const [j, weight] of weights.data.entries()) {
      const found = picks.data.filter((pick) => pick === j).length;
      chiSquared += (found - rows * weight) ** 2 / (rows * weight);
    }
    expect(chiSquared).toBeLessThan(13.8);
  });

  test("hard: seed, sequence, head and row all change what is sampled", () => {
    const sampled = (seed: number): number[] => {
      const picks = place(2, 2, 64);
      const [flat, values] = [{ data: new Float64Array(2 * 64 * 2), dims: [2, 64, 2, 1] }, normal([2, 64, 2, 1], 1)];
      hardAttention(flat, flat, values, { choose: "sample", seed, picks });
      return [...picks.data];
    };
    const picks = sampled(1);
    const heads = [0, 1, 2, 3].map((head) => picks.slice(head * 64, (head + 1) * 64).join());
    expect(new Set([...heads, sampled(1000).slice(0, 64).join()]).size).toBe(5);
    expect(new Set(picks.slice(0, 64)).size).toBeGreaterThan(16);
    expect(sampled(1)).toEqual(picks);
  });

  test("local-m ≡ window", () => {
    const window = scaledDotProductAttention(q, k, v, { window: 2 });
    expectNear(localAttention(q, k, v, { halfWidth: 2 }).data, window.data);
  });

  test("local-p, renormalised ≡ a Gaussian bias; else the Gaussian times the weights of the window", () => {
    const centers = {
      data: Float64Array.from({ length: BATCH * HEADS * ROWS }, (_, n) => (n % 13) / 2),
      dims: [BATCH, HEADS, ROWS],
    };
    const dims = [BATCH, HEADS, ROWS, KEYS];
    const distance = Float64Array.from({ length: countOf(dims) }, (_, n) => (n % KEYS) - centers.data[Math.floor(n / KEYS)]!);
    const gaussian = distance.map((d) => (Math.abs(d) <= 3 ? -(d ** 2) / (2 * 1.5 ** 2) : -Infinity));
    const bias = { data: gaussian, dims };
    const renormalized = localAttention(q, k, v, { halfWidth: 3, centers, renormalize: true });
    expectNear(renormalized.data, scaledDotProductAttention(q, k, v, { bias }).data);

    const [weights, plain] = [place(...dims), place(...dims)];
    localAttention(q, k, v, { halfWidth: 3, centers }, { weights });
    const mask = { data: distance.map((d) => Number(Math.abs(d) <= 3)), dims };
    scaledDotProductAttention(q, k, v, { mask, weights: plain });
    expectNear(
      weights.data,
      plain.data.map((weight, n) => weight * Math.exp(Math.max(gaussian[n]!, -1e9))),
    );
  });

  test("local-p: centres are predicted within the keys of the row's sequence, and count from the first one", () => {
    const predictor = { weight: normal([3, DIM], 31), score: normal([3], 32) };
    const [keyStarts, keyLengths] = [
      [0, 2],
      [5, 7],
    ];
    const centers = { data: new Float64Array(BATCH * HEADS * ROWS), dims: [BATCH, HEADS, ROWS] };
    for (const index of centers.data.keys()) {
      const [i, h, b] = [index % ROWS, Math.floor(index / ROWS) % HEADS, Math.floor(index / ROWS / HEADS)];
      const start = ((b * ROWS + i) * HEADS + h) * DIM;
      let logit = 0;
      for (let n = 0; n < 3; n++) {
        let unit = 0;
        for (let d = 0; d < DIM; d++) unit += predictor.weight.data[n * DIM + d]! * q.data[start + d]!;
        logit += predictor.score.data[n]! * Math.tanh(unit);
      }
      centers.data[index] = 5 / (1 + Math.exp(-logit));
    }
    const options = { keyStarts, keyLengths };
    const predicted = localAttention(q, k, v, { halfWidth: 2, predictor }, options);
    expectNear(predicted.data, localAttention(q, k, v, { halfWidth: 2, centers }, options).data);
    const moved = { ...centers, data: centers.data.map((p, n) => (n < HEADS * ROWS ? p : p + 2)) };
    const mask = {
      data: Array.from({ length: BATCH * KEYS }, (_, n) => Number(n < KEYS ? n < 5 : n - KEYS >= 2)),
      dims: [BATCH, 1, 1, KEYS],
    };
    expectNear(localAttention(q, k, v, { halfWidth: 2, centers: moved }, { mask }).data, predicted.data);
  });

  test("the sentence: its largest weights and its picks", () => {
    const [queries, keys, values] = [tensor(...SENTENCE.queries), tensor(...SENTENCE.keys), tensor(...SENTENCE.values)];
    const picks = place(1, 1, 6);
    const out = hardAttention(queries, keys, values, { picks });
    expect(picks.data[3]).toBe(4); // sitting attends most to "on"
    expect([...out.data.subarray(9, 12)]).toEqual(SENTENCE.values[4]);
  });
});
