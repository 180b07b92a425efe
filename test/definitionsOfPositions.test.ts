/** Positions and looks in `headwise/reference` against explicit biases and loops. */
import { describe, expect, test } from "vitest";
import { type ReferenceOptions, type ReferenceTensor, scaledDotProductAttention } from "headwise/reference";
import { BATCH, DIM, expectNear, HEADS, k, KEYS, place, q, ROWS, tensor, v } from "./support/definitions.js";
import { countOf, normal } from "./support/random.js";

/** A bias with an element for each pair: `of(h, distance)` for row i at position i + KEYS − ROWS. */
function biasOf(of: (h: number, distance: number) => number): ReferenceTensor {
  const dims = [HEADS, ROWS, KEYS];
  const element = (index: number): number =>
    of(Math.floor(index / ROWS / KEYS), (index % KEYS) - ((Math.floor(index / KEYS) % ROWS) + KEYS - ROWS));
  return { data: Float64Array.from({ length: countOf(dims) }, (_, index) => element(index)), dims };
}

describe("positions", () => {
  const table = normal([HEADS, 5], 4);
  const inTable = (h: number, distance: number): number => table.data[h * 5 + Math.min(Math.max(distance + 2, 0), 4)]!;
  test.each<[string, ReferenceOptions, ReferenceTensor]>([
    [
      "alibiSlopes",
      { alibiSlopes: { data: [0.5, 0.25, 2, 0], dims: [4] } },
      biasOf((h, d) => -[0.5, 0.25, 2, 0][h]! * Math.abs(d)),
    ],
    ["relativeBias", { relativeBias: table }, biasOf(inTable)],
    [
      "relativeBias of all heads",
      { relativeBias: { data: [3, 1, 2], dims: [1, 3] } },
      biasOf((_, d) => (d < 0 ? 3 : d > 0 ? 2 : 1)),
    ],
    ["relativeZero", { relativeBias: table, relativeZero: 4 }, biasOf((h, d) => inTable(h, d + 2))],
    [
      "both",
      { relativeBias: table, alibiSlopes: { data: [1, 1, 1, 1], dims: [4] } },
      biasOf((h, d) => inTable(h, d) - Math.abs(d)),
    ],
  ])("%s ≡ an explicit bias, also in scores, weights and with softcap", (_, options, bias) => {
    for (const more of [{}, { causal: true, softcap: 2 }, { window: 3, scale: 3 }]) {
      const [a, b] = [place(BATCH, HEADS, ROWS, KEYS), place(BATCH, HEADS, ROWS, KEYS)];
      const out = scaledDotProductAttention(q, k, v, { ...more, ...options, scores: a });
      expectNear(out.data, scaledDotProductAttention(q, k, v, { ...more, bias, scores: b }).data);
      for (const [index, score] of b.data.entries()) if (score !== a.data[index]) expect(a.data[index]).toBeCloseTo(score, 12);
    }
  });

  test("alibiSlopes of each sequence", () => {
    const alibiSlopes = { data: [1, 2, 3, 4, 5, 6, 7, 8], dims: [2, 4] };
    const out = scaledDotProductAttention(q, k, v, { alibiSlopes }).data;
    const half = out.length / 2;
    for (const [b, data] of [alibiSlopes.data.slice(0, 4), alibiSlopes.data.slice(4)].entries()) {
      const alone = scaledDotProductAttention(q, k, v, { alibiSlopes: { data, dims: [4] } }).data;
      expectNear(out.subarray(b * half, (b + 1) * half), alone.subarray(b * half, (b + 1) * half));
    }
  });

  test("distances count within a sequence: packed, and padded on either side, ≡ alone", () => {
    const options = { relativeBias: normal([1, 9], 5), causal: true };
    const [x, y, z] = [normal([4, 1, 6], 6), normal([4, 1, 6], 7), normal([4, 1, 3], 8)];
    const within = (t: ReferenceTensor, before: number, after: number): ReferenceTensor => {
      const width = t.dims[1]! * t.dims[2]!;
      const data = [
        ...new Array<number>(before * width).fill(9),
        ...Array.from(t.data),
        ...new Array<number>(after * width).fill(9),
      ];
      return { data, dims: [1, before + 4 + after, t.dims[1]!, t.dims[2]!] };
    };
    const alone = scaledDotProductAttention(within(x, 0, 0), within(y, 0, 0), within(z, 0, 0), options).data;
    const cut = (out: ArrayLike<number>, rows: number): number[] => Array.from(out).slice(rows * 3, (rows + 4) * 3);
    const packed = { ...options, cuSeqlensQ: [0, 2, 6, 7] };
    expectNear(cut(scaledDotProductAttention(within(x, 2, 1), within(y, 2, 1), within(z, 2, 1), packed).data, 2), alone);
    const left = { ...options, keyStarts: [3] };
    expectNear(cut(scaledDotProductAttention(within(x, 0, 0), within(y, 3, 0), within(z, 3, 0), left).data, 0), alone);
    const right = { ...options, keyLengths: [4] };
    expectNear(cut(scaledDotProductAttention(within(x, 0, 0), within(y, 0, 3), within(z, 0, 3), right).data, 0), alone);
  });
});

/** Transformer-XL with one head of DIM channels: R is indexed by key − row, from −(N − 1) to 0. */
describe("relativeKeys", () => {
  const LENGTH = 9;
  const [x, y, z] = [normal([LENGTH, DIM], 11), normal([LENGTH, DIM], 12), normal([LENGTH, 3], 13)];
  const relativeKeys = { ...normal([LENGTH, 1, DIM], 14) };
  const [contentBias, positionBias] = [normal([1, DIM], 15), normal([1, DIM], 16)];
  const options: ReferenceOptions = { relativeKeys, relativeZero: LENGTH - 1, contentBias, positionBias, causal: true };
  const rows = ({ data, dims }: ReferenceTensor, from: number, to: number): ReferenceTensor => ({
    data: Array.from(data).slice(from * dims[1]!, to * dims[1]!),
    dims: [to - from, dims[1]!],
  });

  test("segments with enough memory ≡ full causal attention", () => {
    const whole = scaledDotProductAttention(x, y, z, options).data;
    const segments = [0, 3, 6].flatMap((from) => [
      ...scaledDotProductAttention(rows(x, from, from + 3), rows(y, 0, from + 3), rows(z, 0, from + 3), options).data,
    ]);
    expectNear(segments, whole);
  });

  test("the shift trick on visible pairs ≡ the definition, whose scores are those of the stage scaled", () => {
    const scores = place(LENGTH, LENGTH);
    scaledDotProductAttention(x, y, z, { ...options, scores, scoresStage: "scaled" });
    // BD[i, c] = (q_i + v)·R_c for all c, then padded by a column and read with rows one shorter (Dai et al. 2019, appendix B)
    const padded = new Float64Array(LENGTH * (LENGTH + 1));
    for (let i = 0; i < LENGTH; i++) {
      for (let c = 0; c < LENGTH; c++) {
        for (let d = 0; d < DIM; d++) {
          const query = x.data[i * DIM + d]! + positionBias.data[d]!;
          padded[i * (LENGTH + 1) + 1 + c]! += query * relativeKeys.data[c * DIM + d]!;
        }
      }
    }
    const shifted = padded.subarray(LENGTH);
    for (let i = 0; i < LENGTH; i++) {
      for (let j = 0; j <= i; j++) {
        let content = 0;
        for (let d = 0; d < DIM; d++) content += (x.data[i * DIM + d]! + contentBias.data[d]!) * y.data[j * DIM + d]!;
        expect(scores.data[i * LENGTH + j]).toBeCloseTo((content + shifted[i * LENGTH + j]!) / Math.sqrt(DIM), 12);
      }
    }
  });

  test("of each head, without biases: a bias of scale · q·R (Shaw et al. 2018)", () => {
    const keys = normal([3, HEADS, DIM], 17);
    const dims = [BATCH, HEADS, ROWS, KEYS];
    const bias = { data: new Float64Array(countOf(dims)), dims };
    for (const index of bias.data.keys()) {
      const [j, i] = [index % KEYS, Math.floor(index / KEYS) % ROWS];
      const [h, b] = [Math.floor(index / KEYS / ROWS) % HEADS, Math.floor(index / KEYS / ROWS / HEADS)];
      const at = Math.min(Math.max(j - (i + KEYS - ROWS) + 1, 0), 2);
      for (let d = 0; d < DIM; d++) {
        bias.data[index]! += 0.3 * q.data[((b * ROWS + i) * HEADS + h) * DIM + d]! * keys.data[(at * HEADS + h) * DIM + d]!;
      }
    }
    const out = scaledDotProductAttention(q, k, v, { relativeKeys: keys, scale: 0.3 });
    expectNear(out.data, scaledDotProductAttention(q, k, v, { bias, scale: 0.3 }).data);
  });
});

describe("a look inside", () => {
  const bytes = [1, 1, 0, 1, 1, 1, 1];
  const options: ReferenceOptions = {
    ...{ causal: true, queryOffset: -1, mask: { data: bytes, dims: [KEYS] }, sinks: { data: [0, 1, -1, 2], dims: [HEADS] } },
  };
  const weights = place(BATCH, HEADS, ROWS, KEYS);
  const topKeys = { indices: place(BATCH, HEADS, ROWS, 3), weights: place(BATCH, HEADS, ROWS, 3) };
  const [entropy, largestWeight] = [place(BATCH, HEADS, ROWS), place(BATCH, HEADS, ROWS)];
  const keyWeights = { data: new Float64Array(BATCH * HEADS * KEYS).fill(NaN), dims: [BATCH, HEADS, KEYS] };
  scaledDotProductAttention(q, k, v, { ...options, weights, topKeys, entropy, largestWeight, keyWeights });

  test("is that of the weights; rows without keys have none", () => {
    for (let row = 0; row < BATCH * HEADS * ROWS; row++) {
      const own = weights.data.subarray(row * KEYS, (row + 1) * KEYS);
      const seen = [0, 1, 3, 4].filter((j) => j <= (row % ROWS) - 1).sort((a, b) => own[b]! - own[a]!);
      const found = [0, 1, 2].map((rank) => topKeys.indices.data[row * 3 + rank]);
      expect(found).toEqual([0, 1, 2].map((rank) => seen[rank] ?? -1));
      for (const rank of [0, 1, 2]) expect(topKeys.weights.data[row * 3 + rank]).toBe(rank in seen ? own[seen[rank]!] : 0);
      expect(largestWeight.data[row]).toBe(Math.max(...own));
      expect(entropy.data[row]).toBeCloseTo(
        own.reduce((sum, w) => sum - (w > 0 ? w * Math.log(w) : 0), 0),
        12,
      );
    }
    expect(topKeys.indices.data.slice(0, 3)).toEqual(Float64Array.of(-1, -1, -1));
    expect(entropy.data[0]).toBe(0);
  });

  test("keyWeights are sums over rows", () => {
    for (const [index, found] of keyWeights.data.entries()) {
      const [head, j] = [Math.floor(index / KEYS), index % KEYS];
      const column = [...Array(ROWS).keys()].map((i) => weights.data[(head * ROWS + i) * KEYS + j]!);
      expect(found).toBeCloseTo(
        column.reduce((a, b) => a + b, 0),
        12,
      );
    }
  });

  test("equal weights: the lower key first; n keys of equal weight have entropy ln n", () => {
    const equal = { indices: place(1, 3), weights: place(1, 3) };
    const [looked, ones] = [place(1), tensor([1], [1], [1], [1])];
    scaledDotProductAttention(tensor([0]), ones, ones, { topKeys: equal, entropy: looked });
    expect([...equal.indices.data, ...equal.weights.data]).toEqual([0, 1, 2, 0.25, 0.25, 0.25]);
    expect(looked.data[0]).toBeCloseTo(Math.log(4), 14);
  });

  test("weightsRange: some heads and rows of the weights, and nothing else changes", () => {
    const [part, sums] = [place(BATCH, 2, 3, KEYS), place(BATCH, HEADS, KEYS)];
    const weightsRange = { heads: [1, 3], rows: [2, 5] } as const;
    scaledDotProductAttention(q, k, v, { ...options, weights: part, weightsRange, keyWeights: sums });
    for (const [index, weight] of part.data.entries()) {
      const [row, j] = [Math.floor(index / KEYS), index % KEYS];
      const [b, h, i] = [Math.floor(row / 6), (Math.floor(row / 3) % 2) + 1, (row % 3) + 2];
      expect(weight).toBe(weights.data[((b * HEADS + h) * ROWS + i) * KEYS + j]);
    }
    expect(sums.data).toEqual(keyWeights.data);
  });
});
