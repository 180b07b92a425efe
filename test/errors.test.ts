/** What attention refuses, word for word; a refused call leaves memory, `out` and the engine unchanged. */
import { describe, expect, test } from "vitest";
import type { AttentionOptions, TensorLike } from "headwise";
import { openBuild } from "./support/builds.js";
import { normal } from "./support/random.js";

const engine = openBuild("simd");
const q = normal([2, 5, 4, 8], 1);
const kv = normal([2, 7, 2, 8], 2);
const bytes = (dims: number[]) => ({ data: new Uint8Array(dims.reduce((a, b) => a * b, 1)), dims });

/** Calls with one wrong argument or option. */
const attend = (changes: Record<string, unknown> = {}): unknown => {
  const { q: query = q, k = kv, v = kv, ...options } = changes;
  return engine.scaledDotProductAttention(query as TensorLike, k as TensorLike, v as TensorLike, options);
};

type Refusal = [changes: Record<string, unknown>, kind: typeof Error, message: string];

const REFUSED: Refusal[] = [
  [{ q: null }, TypeError, '"q" must be a tensor { data, dims } or { shape, dataSync() }, got null'],
  [{ q: q.data }, TypeError, '"q" must be a tensor { data, dims } or { shape, dataSync() }, got Float32Array(320)'],
  [{ q: {} }, TypeError, '"q" must be a tensor { data, dims } or { shape, dataSync() }, got an object'],
  [{ q: { data: q.data, dims: "2,5" } }, TypeError, '"q.dims" must be an array of sizes, got "2,5"'],
  [{ q: { data: q.data, dims: [2, 5, 4, -8] } }, RangeError, '"q.dims[3]" must be an integer from 0 to 1073741824, got -8'],
  [{ q: { data: q.data, dims: [2, 5, 4, 8.5] } }, RangeError, '"q.dims[3]" must be an integer from 0 to 1073741824, got 8.5'],
  [{ q: { data: q.data, dims: [2, 5, 4, "8"] } }, TypeError, '"q.dims[3]" must be an integer from 0 to 1073741824, got "8"'],
  [{ q: { data: q.data, dims: [2, 5, 4, 9] } }, RangeError, '"q" holds 320 elements, expected 2 × 5 × 4 × 9 = 360'],
  [
    { q: { data: new Int32Array(320), dims: q.dims } },
    TypeError,
    '"q.data" must be a Float32Array, Float64Array, Float16Array or array of numbers, or a Uint16Array with type "float16" or "bfloat16", got Int32Array(320)',
  ],
  [
    { k: { data: new Uint16Array(224), dims: kv.dims, type: "uint16" } },
    TypeError,
    '"k.data" must be a Float32Array, Float64Array, Float16Array or array of numbers, or a Uint16Array with type "float16" or "bfloat16", got Uint16Array(224) of type "uint16"',
  ],
  [{ q: { ...q, location: "gpu-buffer" } }, TypeError, '"q" is on "gpu-buffer", expected "cpu"; await its getData() first'],
  [{ q: { dims: q.dims, location: "none" } }, Error, '"q" has been disposed of'],
  [
    {
      k: {
        shape: kv.dims,
        dataSync: () => {
          throw new Error("Tensor is disposed.");
        },
      },
    },
    Error,
    '"k" cannot be read (Error: Tensor is disposed.)',
  ],
  [
    { q: { data: q.data, dims: [2, 5, 32] } },
    RangeError,
    '"q" has dims [2, 5, 32], expected [batch, seq, heads, headDim] or [seq, headDim]; ' +
      'give "numHeads" for rows of numHeads · headDim',
  ],
  [
    { q: { data: q.data, dims: [2, 5, 32] }, layout: "bhsd" },
    RangeError,
    '"q" has dims [2, 5, 32], expected [batch, heads, seq, headDim] or [seq, headDim]; ' +
      'give "numHeads" and layout "bshd" for rows of numHeads · headDim',
  ],
  [{ q: { data: q.data, dims: [320] } }, RangeError, '"q" has dims [320], expected [batch, seq, heads, headDim] or [seq, headDim]'],
  [{ q: { data: q.data, dims: [320] } }, RangeError, '"q" has dims [320], expected [batch, seq, heads, headDim] or [seq, headDim]'],
  [{ k: { data: kv.data, dims: [28, 8] } }, RangeError, '"k" has rank 2, expected 4 (q has dims [2, 5, 4, 8])'],
  [{ k: { data: kv.data, dims: [2, 7, 4, 4] } }, RangeError, '"k" has headDim 4, expected 8 (q has dims [2, 5, 4, 8])'],
  [{ k: { data: kv.data, dims: [1, 14, 2, 8] } }, RangeError, '"k" has batch 1, expected 2 (q has dims [2, 5, 4, 8])'],
  [{ v: { data: kv.data, dims: [1, 14, 2, 8] } }, RangeError, '"v" has batch 1, expected 2 (q has dims [2, 5, 4, 8])'],
  [{ v: { data: kv.data, dims: [2, 14, 1, 8] } }, RangeError, '"v" has kvLen 14, expected 7 (k has dims [2, 7, 2, 8])'],
  [{ v: { data: kv.data, dims: [2, 7, 1, 16] } }, RangeError, '"v" has numKvHeads 1, expected 2 (k has dims [2, 7, 2, 8])'],
  [
    { k: normal([2, 7, 3, 8], 1), v: normal([2, 7, 3, 8], 1) },
    RangeError,
    '"q" has 4 heads, expected a multiple of 3 (k has dims [2, 7, 3, 8])',
  ],
  [{ q: normal([2, 5, 0, 8], 1) }, RangeError, '"q" has no heads (dims [2, 5, 0, 8]), expected at least 1'],
  [{ v: normal([2, 7, 2, 0], 1) }, RangeError, '"v" has 0 elements a head (dims [2, 7, 2, 0]), expected at least 1'],
  [{ layout: "hbsd" }, RangeError, '"layout" must be one of "bshd", "bhsd", "sbhd", got "hbsd"'],
  [{ causal: 1 }, TypeError, '"causal" must be one of false, true, "lower-right", "upper-left", got 1'],
  [{ scale: NaN }, RangeError, '"scale" must be a number within the range of float32, got NaN'],
  [{ scale: "0.5" }, TypeError, '"scale" must be a number within the range of float32, got "0.5"'],
  [{ softcap: -1 }, RangeError, '"softcap" must be a number ≥ 0 within the range of float32, got -1'],
  [{ softcap: 1e-46 }, RangeError, '"softcap" must be a number ≥ 0 within the range of float32, got 1e-46'],
  [{ scale: 1e39 }, RangeError, '"scale" must be a number within the range of float32, got 1e+39'],
  [{ scale: [1, 2, 3] }, RangeError, '"scale" holds 3 elements, expected 4, one for each query head'],
  [{ scale: [1, 2, NaN, 4] }, RangeError, '"scale[2]" must be a number within the range of float32, got NaN'],
  [{ scale: { length: 4 } }, TypeError, '"scale[0]" must be a number within the range of float32, got undefined'],
  [
    { mask: bytes([5, 0]) },
    RangeError,
    '"mask" has dims [5, 0], expected 1 or 7 for kvLen instead of 0 (it must broadcast to [batch, numHeads, seqLen, kvLen] = [2, 4, 5, 7])',
  ],
  [
    { q: new Proxy(engine.tensor([2, 5, 4, 8]), {}) },
    TypeError,
    '"q" is a proxy of an engine\'s tensor, expected the tensor itself',
  ],
  [{ window: -2 }, RangeError, '"window" must be an integer from -1 to 536870912, got -2'],
  [{ window: [1, 2.5] }, RangeError, '"window[1]" must be an integer from -1 to 536870912, got 2.5'],
  [{ window: [1, 2, 3] }, RangeError, '"window" must be a number or [left, right], got an array of 3'],
  [{ window: "4" }, TypeError, '"window" must be a number or [left, right], got "4"'],
  [{ sinkTokens: -1 }, RangeError, '"sinkTokens" must be an integer from 0 to 536870912, got -1'],
  [{ queryOffset: 0.5 }, RangeError, '"queryOffset" must be an integer from -536870912 to 536870912, got 0.5'],
  [{ queryOffset: [1] }, RangeError, '"queryOffset" holds 1 element, expected 2, one for each sequence'],
  [{ keyLengths: [7, 8] }, RangeError, '"keyLengths[1]" must be an integer from 0 to 7, got 8'],
  [{ queryLengths: 5 }, TypeError, '"queryLengths" must be an array of 2 integers, got 5'],
  [
    { mask: normal([7], 1) },
    TypeError,
    '"mask.data" must be an array of integers or booleans, other than 0 where a query may attend, got Float32Array(7)',
  ],
  [
    { mask: bytes([5, 8]) },
    RangeError,
    '"mask" has dims [5, 8], expected 1 or 7 for kvLen instead of 8 (it must broadcast to [batch, numHeads, seqLen, kvLen] = [2, 4, 5, 7])',
  ],
  [
    { mask: bytes([3, 5, 7]) },
    RangeError,
    '"mask" has dims [3, 5, 7], expected 1 or 4 for numHeads instead of 3 (it must broadcast to [batch, numHeads, seqLen, kvLen] = [2, 4, 5, 7])',
  ],
  [
    { bias: normal([1, 1, 1, 1, 7], 1) },
    RangeError,
    '"bias" has dims [1, 1, 1, 1, 7], expected at most 4 of them (it must broadcast to [batch, numHeads, seqLen, kvLen] = [2, 4, 5, 7])',
  ],
  [{ sinks: normal([2], 1) }, RangeError, '"sinks" holds 2 elements, expected 4, one for each query head'],
  [
    { out: normal([2, 4, 5, 8], 1) },
    RangeError,
    '"out" has dims [2, 4, 5, 8], expected [2, 5, 4, 8] (the sizes of q with valueDim 8)',
  ],
  [
    { out: { data: new Uint16Array(320), dims: q.dims, type: "bfloat16" } },
    TypeError,
    '"out.data" must be a Float32Array or Float16Array, or a Uint16Array with type "float16", got Uint16Array(320) of type "bfloat16"',
  ],
  [{ logSumExp: normal([2, 5, 4], 1) }, RangeError, '"logSumExp" has dims [2, 5, 4], expected [2, 4, 5] (batch, numHeads, seqLen)'],
  [
    { weights: normal([2, 4, 5, 8], 1) },
    RangeError,
    '"weights" has dims [2, 4, 5, 8], expected [2, 4, 5, 7] (batch, numHeads, seqLen, kvLen)',
  ],
  [{ scoresStage: "raw" }, RangeError, '"scoresStage" must be one of "scaled", "capped", "biased", got "raw"'],
  [{ casual: true }, TypeError, 'unknown option "casual"; did you mean "causal"?'],
];

/** The sizes to which mask and bias broadcast. */
const BROADCAST = "(it must broadcast to [batch, numHeads, seqLen, kvLen] = [2, 4, 5, 7])";
const HINT = '; shortMask: "hide" would hide the keys beyond it';

const REFUSED_MASKS: Refusal[] = [
  [
    { mask: bytes([5, 8]), shortMask: "hide" },
    RangeError,
    `"mask" has dims [5, 8], expected 1 to 7 for kvLen instead of 8 ${BROADCAST}`,
  ],
  [
    { mask: bytes([5, 0]), shortMask: "hide" },
    RangeError,
    `"mask" has dims [5, 0], expected 1 to 7 for kvLen instead of 0 ${BROADCAST}`,
  ],
  [
    { mask: bytes([1, 1, 1, 6]) },
    RangeError,
    `"mask" has dims [1, 1, 1, 6], expected 1 or 7 for kvLen instead of 6 ${BROADCAST}${HINT}`,
  ],
  [{ bias: normal([5, 2], 1) }, RangeError, `"bias" has dims [5, 2], expected 1 or 7 for kvLen instead of 2 ${BROADCAST}${HINT}`],
  [{ shortMask: "onnx" }, RangeError, '"shortMask" must be "error" or "hide", got "onnx"'],
  [{ shortMask: true }, TypeError, '"shortMask" must be "error" or "hide", got true'],
  [
    { mask: bytes([2, 7]) },
    RangeError,
    `"mask" has dims [2, 7], expected 1 or 5 for seqLen instead of 2 ${BROADCAST}; a tokenizer's mask [batch, kvLen] goes into "keyMask"`,
  ],
  [{ bias: normal([2, 7], 1) }, RangeError, `"bias" has dims [2, 7], expected 1 or 5 for seqLen instead of 2 ${BROADCAST}`],
  [{ maskStart: 3 }, RangeError, '"maskStart" needs "mask"'],
  [{ mask: bytes([5, 7]), maskStart: -1 }, RangeError, '"maskStart" must be an integer from 0 to 7, got -1'],
  [{ mask: bytes([5, 7]), maskStart: 8 }, RangeError, '"maskStart" must be an integer from 0 to 7, got 8'],
  [{ mask: bytes([5, 7]), maskStart: [3] }, RangeError, '"maskStart" holds 1 element, expected 2, one for each sequence'],
  [{ mask: bytes([5, 7]), maskStart: [3, 8] }, RangeError, '"maskStart[1]" must be an integer from 0 to 7, got 8'],
  [{ mask: bytes([5, 7]), maskStart: "3" }, TypeError, '"maskStart" must be an array of 2 integers, got "3"'],
  [
    { mask: bytes([5, 7]), maskStart: 3 },
    RangeError,
    '"mask" has dims [5, 7], expected 1 or 4 for kvLen − maskStart = 7 − 3 instead of 7 (it must broadcast to [batch, numHeads, seqLen, kvLen − maskStart] = [2, 4, 5, 4])',
  ],
  [
    { mask: bytes([5, 3]), maskStart: [3, 5] },
    RangeError,
    `"mask" has dims [5, 3], expected 1 or 4 for the most keys from maskStart on instead of 3 (it must broadcast to [batch, numHeads, seqLen, the most keys from maskStart on] = [2, 4, 5, 4])${HINT}`,
  ],
  [
    { mask: bytes([5, 4]), maskStart: 3, bias: normal([5, 4], 1) },
    RangeError,
    `"bias" has dims [5, 4], expected 1 or 7 for kvLen instead of 4 ${BROADCAST}${HINT}`,
  ],
  [
    { keyMask: { data: new Float32Array(14), dims: [2, 7] } },
    TypeError,
    '"keyMask.data" must be an array of integers or booleans, other than 0 where a key is kept, got Float32Array(14)',
  ],
  [{ keyMask: bytes([2, 6]) }, RangeError, '"keyMask" has dims [2, 6], expected [2, 7] (batch, kvLen)'],
  [{ keyMask: bytes([2, 6]), shortMask: "hide" }, RangeError, '"keyMask" has dims [2, 6], expected [2, 7] (batch, kvLen)'],
  [{ keyMask: bytes([7]) }, RangeError, '"keyMask" has dims [7], expected [2, 7] (batch, kvLen)'],
  [{ keyMask: bytes([1, 7]) }, RangeError, '"keyMask" has dims [1, 7], expected [2, 7] (batch, kvLen)'],
];

describe("scaledDotProductAttention refuses", () => {
  test.each([...REFUSED, ...REFUSED_MASKS].map(([changes, kind, message]) => ({ changes, kind, message })))(
    "$message",
    ({ changes, kind, message }) => {
      const out = { data: new Float32Array(320).fill(7), dims: q.dims };
      const before = engine.info.memory;
      const call = (): unknown => attend({ out, ...changes });
      expect(call).toThrow(kind);
      expect(call).toThrow(new kind(`scaledDotProductAttention: ${message}`));
      expect(engine.info.memory).toEqual(before);
      expect(out.data).toEqual(new Float32Array(320).fill(7));
      expect(attend()).toHaveProperty("dims", q.dims);
    },
  );

  test("options that are not an object", () => {
    const call = () => engine.scaledDotProductAttention(q, kv, kv, 5 as unknown as AttentionOptions);
    expect(call).toThrow(new TypeError('scaledDotProductAttention: "options" must be an object, got 5'));
  });

  test("results that overlap operands or each other in the engine's memory", () => {
    const place = ({ data, dims }: typeof q) => {
      const tensor = engine.tensor(dims);
      tensor.data.set(data);
      return tensor;
    };
    const [a, b] = [place(q), place(kv)];
    const refusal = (message: string) => new RangeError(`scaledDotProductAttention: ${message}`);
    const square = place(normal([2, 7, 2, 8], 3));
    expect(() => engine.scaledDotProductAttention(square, b, b, { out: b })).toThrow(
      refusal('"out" overlaps "k" in the engine\'s memory; only the tensor "q" itself may be overwritten'),
    );
    expect(() => engine.scaledDotProductAttention(b, b, kv, { out: b })).toThrow(
      refusal('"out" overlaps "k" in the engine\'s memory; only the tensor "q" itself may be overwritten'),
    );
    const sameTensor = a.reshape(a.dims);
    expect(() => engine.scaledDotProductAttention(a, b, b, { out: sameTensor })).not.toThrow();
    const weights = engine.tensor([2, 4, 5, 7]);
    expect(() => engine.scaledDotProductAttention(a, b, b, { weights, scores: weights })).toThrow(
      refusal('"weights" and "scores" overlap, expected separate places'),
    );
    const raw = { data: weights.data, dims: weights.dims };
    expect(() => engine.scaledDotProductAttention(a, b, b, { weights: raw })).toThrow(
      new TypeError(
        "scaledDotProductAttention: \"weights\" is a raw view of the engine's memory, which growth would detach; pass the engine's tensor itself",
      ),
    );
  });

  test("two results in one array", () => {
    const place = { data: new Float32Array(1), dims: [1, 1] };
    const one = { data: Float32Array.of(1), dims: [1, 1] };
    expect(() => engine.scaledDotProductAttention(one, one, one, { weights: place, scores: { ...place } })).toThrow(
      new RangeError('scaledDotProductAttention: "weights" and "scores" overlap, expected separate places'),
    );
  });

  test("operands that a getter of the options has disposed of or detached, or whose engine it has disposed of", () => {
    const other = openBuild("simd");
    const one = (): { data: Float32Array; dims: number[] } => ({ data: Float32Array.of(1), dims: [1, 1] });
    const place = other.tensor([1, 1]);
    const disposing = {
      out: place,
      get scale() {
        place.dispose();
        return 1;
      },
    };
    expect(() => other.scaledDotProductAttention(one(), one(), one(), disposing)).toThrow(
      new Error('scaledDotProductAttention: "out" has been disposed of'),
    );
    const lost = one();
    const out = { data: Float32Array.of(7), dims: [1, 1] };
    const detaching = {
      out,
      mask: {
        dims: [1],
        get data() {
          structuredClone(lost.data, { transfer: [lost.data.buffer as ArrayBuffer] });
          return Uint8Array.of(1);
        },
      },
    };
    expect(() => other.scaledDotProductAttention(lost, one(), one(), detaching)).toThrow(
      new RangeError('scaledDotProductAttention: "q" holds 0 elements after the arguments were read, expected 1'),
    );
    expect(out.data[0]).toBe(7);
    const ending = {
      get layout() {
        other.dispose();
        return "bshd" as const;
      },
    };
    expect(() => other.scaledDotProductAttention(one(), one(), one(), ending)).toThrow(
      new Error("scaledDotProductAttention: the engine has been disposed of"),
    );
  });

  test("tensors and engines that have been disposed of", () => {
    const other = openBuild("simd");
    const tensor = other.tensor([2, 2]);
    tensor.dispose();
    expect(() => other.scaledDotProductAttention(tensor, tensor, tensor)).toThrow(
      new Error('scaledDotProductAttention: "q" has been disposed of'),
    );
    expect(() => tensor.reshape([4])).toThrow(new Error("reshape: this tensor has been disposed of"));
    const live = other.tensor([2, 2]);
    other.dispose();
    other.dispose();
    expect(() => live.data).toThrow(new Error("tensor.data: the engine has been disposed of"));
    expect(() => other.tensor([1])).toThrow(new Error("tensor: the engine has been disposed of"));
    expect(() => other.scaledDotProductAttention(q, kv, kv)).toThrow(
      new Error("scaledDotProductAttention: the engine has been disposed of"),
    );
    expect(other.info.memory).toMatchObject({ inUse: 0, reserved: 0 });
    live.dispose();
  });
});
