/** Attention, its masks and its merging. */
import {
  alibiSlopes,
  andMasks,
  applyMask,
  causalMask,
  documentMask,
  notMask,
  orMasks,
  paddingMask,
  prefixMask,
  t5RelativeBias,
  windowMask,
  type Engine,
} from "headwise";
import { createEngine as createAttentionEngine } from "../../src/engine/createAttentionEngine.js";
import { openBuild } from "../support/builds.js";
import { bytes, detached, each, type Groups, revoked, runtimeOf, zeros } from "./provoke.js";

type Change = Record<string, unknown>;

export function attention(engine: Engine): Groups {
  const attend = ({ q = zeros(2, 5, 4, 8), k = zeros(2, 7, 2, 8), v = zeros(2, 7, 2, 8), ...options }: Change): unknown =>
    engine.scaledDotProductAttention(q as never, k as never, v as never, options);
  const rank2 = ({ q = zeros(5, 8), k = zeros(7, 8), v = zeros(7, 8), ...options }: Change): unknown =>
    attend({ q, k, v, ...options });
  const packed = (options: Change): unknown =>
    attend({ q: zeros(1, 5, 4, 8), k: zeros(1, 7, 2, 8), v: zeros(1, 7, 2, 8), ...options });
  const square = (options: Change): unknown =>
    attend({ q: zeros(4, 4, 1, 8), k: zeros(4, 4, 1, 8), v: zeros(4, 4, 1, 8), ...options });
  const merge = (parts: unknown, options: object = {}): unknown => engine.mergeAttention(parts as never, options);
  const part = { out: zeros(1, 2, 2, 4), logSumExp: zeros(1, 2, 2) };
  const padded = (...rows: number[][]): unknown => ({ data: Uint8Array.from(rows.flat()), dims: [rows.length, rows[0]!.length] });

  return {
    "The tensors of a call": {
      ...each(attend, [
        { q: null },
        { q: [1, 2, 3] },
        { q: new Float32Array(320) },
        { q: {} },
        { q: Promise.resolve(1) },
        { q: revoked() },
        { q: { data: new Float32Array(320) } },
        { q: { data: new Float32Array(320), shape: [2, 5, 4, 8] } },
        { q: { data: new Float32Array(320), dims: "2,5" } },
        { q: { data: new Float32Array(320), dims: [2, 5, 4, -8] } },
        { q: { data: new Float32Array(320), dims: [2, 5, 4, "8"] } },
        { q: { data: new Float32Array(320), dims: [2, 5, 4, 8.5] } },
        { q: { data: new Float32Array(320), dims: [2, 5, 4, undefined] } },
        { q: { data: new Float32Array(320), dims: new Array<number>(65).fill(1) } },
        { q: { data: new Float32Array(320), dims: [2 ** 30, 2 ** 30, 0] } },
        { q: zeros(2, 5, 4, 8), k: { data: new Float32Array(4), dims: [5] } },
        { q: { data: new Float32Array(320), dims: [2, 5, 4, 9] } },
        { q: { data: new Float32Array(1), dims: [2] } },
        { q: { data: new ArrayBuffer(1280), dims: [2, 5, 4, 8] } },
        { q: { data: { 0: 1, 1: 2 }, dims: [2] } },
        { q: { data: null, dims: [2] } },
        { q: { data: "12", dims: [2] } },
        { q: { data: () => 1, dims: [2] } },
        { q: { data: 5n, dims: [2] } },
        { q: { data: new Map(), dims: [2] } },
        { q: { data: new Int32Array(320), dims: [2, 5, 4, 8] } },
        { q: { data: new Uint16Array(320), dims: [2, 5, 4, 8], type: "uint16" } },
        { q: { data: [1, "2"], dims: [2, 1] } },
        { q: { data: [[1, 2]], dims: [1, 1] } },
        { q: { data: new Array(2 ** 25), dims: [2, 1] } },
        { q: { dims: [2, 5, 4, 8], location: "gpu-buffer" } },
        { q: { dims: [2, 5, 4, 8], location: "none" } },
        { q: { shape: [2, 5, 4, 8], dataSync: () => new Int32Array(320) } },
      ]),
      "q: an array whose buffer is detached": () => attend({ q: { data: detached(320), dims: [2, 5, 4, 8] } }),
      "q: a tensor that another copy of the package made": () => attend({ q: { [Symbol.for("headwise")]: {} } }),
      "dataSync() throws": () =>
        attend({
          q: {
            shape: [2, 5, 4, 8],
            dataSync: () => {
              throw new Error("Tensor is disposed.");
            },
          },
        }),
      "a tensor of the engine, disposed of": () => {
        const q = engine.tensor([2, 5, 4, 8]);
        q.dispose();
        attend({ q });
      },
      "a proxy of a tensor of the engine": () => attend({ q: new Proxy(engine.tensor([2, 5, 4, 8]), {}) }),
      "a getter of the mask detaches q": () => {
        const q = zeros(2, 5, 4, 8);
        const dims = [7];
        attend({
          q,
          mask: {
            dims,
            get data() {
              structuredClone(q.data, { transfer: [q.data.buffer as ArrayBuffer] });
              return new Uint8Array(7);
            },
          },
        });
      },
    },

    "Places for results": {
      ...each(attend, [
        { weights: true },
        { out: new Float32Array(320) },
        { out: { data: new Float32Array(320) } },
        { out: { shape: [2, 5, 4, 8], dataSync: () => new Float32Array(320) } },
        { out: { data: new Uint16Array(320), dims: [2, 5, 4, 8], type: "bfloat16" } },
        { out: zeros(2, 4, 5, 8) },
        { logSumExp: zeros(2, 5, 4) },
        { weights: zeros(2, 4, 5, 8) },
        { scores: zeros(3) },
      ]),
      ...each(rank2, [{ logSumExp: zeros(7) }, { weights: zeros(5, 5) }, { topKeys: { indices: zeros(3), weights: zeros(3) } }]),
      "out is q and k": () => {
        const x = engine.tensor([2, 5, 4, 8]);
        attend({ q: x, k: x, v: x, out: x });
      },
      "softmax: out overlaps the bias": () => {
        const x = engine.tensor([4]);
        engine.softmax(zeros(4), { bias: x, out: x });
      },
      "weights and scores in one place": () => {
        const place = zeros(2, 4, 5, 7);
        attend({ weights: place, scores: place });
      },
      "a raw view of the engine's memory": () => {
        const { data, dims } = engine.tensor([2, 4, 5, 7]);
        attend({ weights: { data, dims } });
      },
    },

    "Looks at weights": {
      ...each(attend, [
        { entropy: zeros(2, 5, 4) },
        { keyWeights: zeros(2, 4, 5) },
        { topKeys: zeros(2, 4, 5, 3) },
        { topKeys: 3 },
        { topKeys: { indices: zeros(2, 4, 5, 3) } },
        { topKeys: { indices: [1], weights: [1] } },
        { topKeys: { indices: zeros(2, 4, 5, 0), weights: zeros(2, 4, 5, 0) } },
        { topKeys: { indices: zeros(2, 4, 5, 3), weights: zeros(2, 4, 5, 2) } },
        { weightsRange: { rows: [0, 1] } },
        { weights: zeros(2, 4, 5, 7), weightsRange: { rows: [0, 1] } },
        { weights: zeros(2, 4, 5, 7), weightsRange: { heads: [1, 5] } },
        { weights: zeros(2, 4, 5, 7), weightsRange: { rows: 3 } },
        { weights: zeros(2, 4, 5, 7), weightsRange: { columns: [0, 1] } },
      ]),
      "entropy, and an engine for attention alone": async () => {
        const [one, entropy] = [zeros(1, 1), zeros(1)];
        (await createAttentionEngine({ build: "simd" })).scaledDotProductAttention(one, one, one, { entropy });
      },
      "no heads, and no axis of them": () =>
        rank2({ q: zeros(1, 8), k: zeros(2, 8), v: zeros(2, 8), weights: zeros(1, 2), weightsRange: { heads: [0, 0] } }),
      "indices in float16 of many keys": () => {
        const indices = { data: new Uint16Array(1), dims: [1, 1], type: "float16" };
        rank2({ q: zeros(1, 8), k: zeros(2050, 8), v: zeros(2050, 8), topKeys: { indices, weights: zeros(1, 1) } });
      },
    },

    scaledDotProductAttention: {
      ...each(attend, [
        { q: zeros(2, 5, 32) },
        { q: zeros(320) },
        { k: zeros(14, 16) },
        { k: zeros(2, 7, 4, 4) },
        { k: zeros(1, 14, 2, 8) },
        { v: zeros(1, 14, 2, 8) },
        { v: zeros(2, 14, 1, 8) },
        { v: zeros(2, 7, 1, 16) },
        { k: zeros(2, 7, 3, 8), v: zeros(2, 7, 3, 8) },
        { q: zeros(2, 5, 0, 8) },
        { v: zeros(2, 7, 2, 0) },
        { layout: "bnsd" },
        { layout: 1 },
        { q: zeros(2, 5, 32), layout: "bhsd" },
        { causal: 1 },
        { scale: NaN },
        { scale: "0.5" },
        { scale: 1e39 },
        { scale: [1, 2, 3] },
        { scale: [1, 2, NaN, 4] },
        { softcap: -1 },
        { window: -2 },
        { window: [1, 2.5] },
        { window: [1, 2, 3] },
        { window: "4" },
        { sinkTokens: -1 },
        { sinkTokens: 2n ** 70n },
        { queryOffset: 0.5 },
        { queryOffset: [1] },
        { keyLengths: [7, 8] },
        { keyLengths: [7] },
        { keyLengths: 7 },
        { keyLengths: { length: -1 } },
        { queryLengths: "57" },
        { sinks: zeros(2) },
        { scoresStage: "raw" },
        { casual: true },
        { temperature: 1 },
      ]),
      "options are a list": () => engine.scaledDotProductAttention(zeros(1, 1), zeros(1, 1), zeros(1, 1), [] as never),
      "options are true": () => engine.scaledDotProductAttention(zeros(1, 1), zeros(1, 1), zeros(1, 1), true as never),
    },

    "Packed sequences": each(packed, [
      { cuSeqlensK: [0, 7] },
      { cuSeqlensQ: [0, 5] },
      { cuSeqlensQ: [0, 5], cuSeqlensK: [0, 7], keyLengths: [7] },
      { q: zeros(2, 5, 4, 8), k: zeros(2, 7, 2, 8), v: zeros(2, 7, 2, 8), cuSeqlensQ: [0, 5], cuSeqlensK: [0, 7] },
      { cuSeqlensQ: [0, 2, 5], cuSeqlensK: [0, 7] },
      { cuSeqlensQ: [0, 3, 2, 5], cuSeqlensK: [0, 1, 2, 7] },
      { cuSeqlensQ: [], cuSeqlensK: [] },
      { cuSeqlensQ: [1, 5], cuSeqlensK: [0, 7] },
      { cuSeqlensQ: [0, 4], cuSeqlensK: [0, 7] },
      { cuSeqlensQ: 5, cuSeqlensK: [0, 7] },
      { cuSeqlensQ: new Int32Array(2 ** 20 + 2) },
    ]),

    "Masks and biases": {
      ...each(attend, [
        { mask: zeros(7) },
        { mask: { data: new Uint16Array(7), dims: [7], type: "float16" } },
        { mask: { data: [1, 0.5], dims: [2] } },
        { mask: { data: [1, "0"], dims: [2] } },
        { mask: { data: true, dims: [1] } },
        { mask: bytes(5, 8) },
        { mask: bytes(3, 5, 7) },
        { mask: bytes(1, 1, 1, 1, 7) },
        { mask: bytes(5, 6) },
        { mask: bytes(2, 7) },
        { mask: bytes(5, 8), shortMask: "hide" },
        { bias: zeros(1, 1, 1, 1, 7) },
        { bias: zeros(5, 2) },
        { shortMask: "onnx" },
        { shortMask: true },
        { maskStart: 3 },
        { mask: bytes(5, 7), maskStart: -1 },
        { mask: bytes(5, 7), maskStart: [3] },
        { mask: bytes(5, 7), maskStart: "3" },
        { mask: bytes(5, 7), maskStart: 3 },
        { mask: bytes(5, 3), maskStart: [3, 5] },
        { keyMask: zeros(2, 7) },
        { keyMask: bytes(2, 6) },
        { keyMask: bytes(7) },
      ]),
      ...each(packed, [{ keyMask: bytes(6) }, { mask: bytes(3, 7), q: zeros(1, 1, 4, 8) }]),
      "a tokenizer's mask [batch, kvLen] for batch = seqLen": () =>
        square({ mask: padded([1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 0]) }),
    },

    Positions: each(attend, [
      { alibiSlopes: zeros(2) },
      { alibiSlopes: [1, 2, 3, 4] },
      { relativeBias: zeros(9) },
      { relativeBias: zeros(2, 9) },
      { relativeBias: zeros(4, 0) },
      { relativeBias: zeros(4, 6) },
      { relativeBias: zeros(4, 6), relativeZero: 6 },
      { relativeZero: 3 },
      { relativeKeys: zeros(9, 8) },
      { relativeKeys: zeros(9, 2, 8) },
      { relativeKeys: zeros(2, 1, 8) },
      { contentBias: zeros(4, 8) },
      { positionBias: zeros(4, 8) },
      { relativeKeys: zeros(3, 1, 8), contentBias: zeros(8) },
    ]),

    planAttention: each(
      ({ q = zeros(5, 8), ...options }: Change) => engine.planAttention(q as never, zeros(5, 8), zeros(5, 8), options),
      [{ q: zeros(5, 9) }, { isCausal: true }],
    ),

    mergeAttention: {
      ...each(
        ({ parts, ...options }: Change) => merge(parts, options),
        [
          { parts: part },
          { parts: [] },
          { parts: [null] },
          { parts: [{ out: part.out }] },
          { parts: [{ out: zeros(1, 2, 0, 4), logSumExp: zeros(1, 0, 2) }] },
          { parts: [{ out: part.out, logSumExp: zeros(2, 2) }] },
          { parts: [{ out: zeros(2, 4), logSumExp: zeros(3) }] },
          { parts: [part, { out: zeros(1, 3, 2, 4), logSumExp: zeros(1, 2, 3) }] },
          { parts: [part], out: zeros(4) },
          { parts: [part], layout: "b" },
          { parts: [part], lse: zeros(1, 2, 2) },
        ],
      ),
      "too many parts": () => merge(new Array(2 ** 17)),
    },

    "Memory that runs out": {
      "more than there may be": () => engine.tensor([2 ** 30]),
      "more than there may be beside a tensor": () => {
        const x = engine.tensor([1]);
        try {
          engine.tensor([2 ** 30]);
        } finally {
          x.dispose();
        }
      },
      "a tensor of more elements than numbers count": () => engine.tensor([2 ** 30, 2 ** 30]),
    },

    "An engine's tensor": {
      ...each(
        ({ dims, type }: Change) => engine.tensor(dims as never, type as never),
        [{ dims: "3" }, { dims: [-1] }, { dims: [1], type: "int8" }, { dims: [1], type: 8 }],
      ),
      "reshape to other sizes": () => engine.tensor([2, 3]).reshape([4]),
      "reshape after dispose": () => {
        const x = engine.tensor([2]);
        x.dispose();
        x.reshape([2]);
      },
      "data after dispose of the engine": () => {
        const other = openBuild("simd");
        const x = other.tensor([2]);
        other.dispose();
        return x.data;
      },
    },

    "After the end of the engine": {
      "any call": () => {
        const other = openBuild("simd");
        other.dispose();
        other.rmsNorm(zeros(2));
      },
      "a tensor is made while a call is in progress": () => {
        const { arena } = runtimeOf(openBuild("simd"));
        arena.openScratch("rmsNorm", 64);
        arena.allocate("tensor", 64);
      },
      "the workers of a failed call have not ended": () => {
        const other = openBuild("simd");
        runtimeOf(other).pool = { isEnding: true } as never;
        other.rmsNorm(zeros(2));
      },
    },

    causalMask: each(
      ({ seqLen = 2, kvLen, ...options }: Change) => causalMask(seqLen as never, kvLen as never, options),
      [{ seqLen: -1 }, { seqLen: 2 ** 20, kvLen: 2 ** 20 }, { queryOffset: "1" }, { offset: 1 }],
    ),
    windowMask: each(
      ({ window = 1, ...options }: Change) => windowMask(2, 2, window as never, options),
      [{ window: [1] }, { window: "1" }, { window: -2 }, { window: [0, 1.5] }, { sinkTokens: -1 }],
    ),
    paddingMask: each(
      ({ lengths, kvLen = 3 }: Change) => paddingMask(lengths as never, kvLen as never),
      [{ lengths: 3 }, { lengths: [4] }, { lengths: [1], kvLen: -1 }],
    ),
    prefixMask: each(
      ({ prefixLength }: Change) => prefixMask(prefixLength as never, 3),
      [{ prefixLength: 4 }, { prefixLength: [1, "2"] }],
    ),
    documentMask: each(
      ({ documentIds }: Change) => documentMask(documentIds as never),
      [{ documentIds: 3 }, { documentIds: [[1, 1], [1]] }],
    ),
    "andMasks, orMasks and notMask": {
      "no masks": () => andMasks(),
      "sizes that do not fit": () => orMasks(bytes(2, 3), bytes(4)),
      "not a mask": () => notMask(zeros(2) as never),
      "data that are too short": () => notMask({ data: new Uint8Array(3), dims: [2, 2] }),
    },
    applyMask: {
      "scores that are bytes": () => applyMask(bytes(2) as never, bytes(2)),
      "a mask of other sizes": () => applyMask(zeros(2, 2), bytes(3)),
    },
    alibiSlopes: each(({ numHeads }: Change) => alibiSlopes(numHeads as never), [{}, { numHeads: 0 }, { numHeads: "8" }]),
    t5RelativeBias: each(
      ({ embedding = zeros(32, 2), ...options }: Change) => t5RelativeBias(embedding as never, options as never),
      [
        {},
        { length: 0 },
        { length: 2 ** 28 },
        { length: 9, embedding: zeros(32) },
        { length: 9, embedding: zeros(31, 2) },
        { length: 9, embedding: zeros(1, 2), bidirectional: false },
        { length: 9, embedding: { data: new Float32Array(5), dims: [4, 2] } },
        { length: 9, embedding: { data: new Uint16Array(8), dims: [4, 2], type: "float16" } },
        { length: 9, maxDistance: 8 },
        { length: 9, bidirectional: "no" },
        { length: 9, relativeAttentionMaxDistance: 128 },
        { queryLength: 9 },
      ],
    ),
  };
}
