/** Packed sequences in linear attention, and gates that serve all heads. */
import type { LinearOptions } from "headwise";
import { linearAttention as reference, type ReferenceLinearOptions } from "headwise/reference";
import { describe, expect, test } from "vitest";
import { expectSameBits, largestError, poison } from "./support/attention.js";
import { onEveryBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { linearInputs, type LinearSizes, parseLinear } from "./support/linear.js";
import { normal, randomMask, type TestTensor } from "./support/random.js";

const LAYOUTS = ["bshd", "bhsd"] as const;
/** Some empty, some longer than a chunk. */
const CU_SEQLENS = [0, 5, 5, 61, 62, 100, 100];
const SIZES = parseLinear("B1-S100-KV100-H4/2/4-D9:10");

type Inputs = ReturnType<typeof linearInputs>;

const KINDS: Record<string, (inputs: Inputs) => LinearOptions> = {
  full: () => ({}),
  causal: () => ({ causal: true }),
  "causal, chunks of 5": () => ({ causal: true, chunkSize: 5 }),
  softmax: () => ({ featureMap: "softmax" }),
  "favor+": () => ({ featureMap: "favor+", features: 20, causal: true }),
  "a function": () => ({ featureMap: ({ data, dims }) => ({ data: data.map((x) => x * x), dims }), causal: true }),
  linear: () => ({ rule: "linear" }),
  gated: ({ decay }) => ({ rule: "gated", decay }),
  "gated, by channel": ({ channelDecay }) => ({ rule: "gated", decay: channelDecay }),
  "gated, a fixed decay": () => ({ rule: "gated", decay: { data: Float32Array.of(-0.1, -0.2, -0.3, -0.4), dims: [4] } }),
  delta: ({ beta }) => ({ rule: "delta", beta }),
  gated_delta: ({ decay, beta }) => ({ rule: "gated_delta", decay, beta }),
  "gated_delta, by channel": ({ channelDecay, beta }) => ({ rule: "gated_delta", decay: channelDecay, beta }),
  "a key mask, causal": () => ({ causal: true, keyMask: randomMask([100], 3, 0.6) }),
};

/** The rows `first` to `end` − 1 of a tensor in a layout; fixed gates stay as they are. */
function cut({ data, dims }: TestTensor, axis: number, first: number, end: number): TestTensor {
  if (axis >= dims.length) return { data, dims };
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const whole = dims[axis]! * inner;
  const rows = data.filter((_, index) => Math.floor((index % whole) / inner) >= first && Math.floor((index % whole) / inner) < end);
  return { data: rows, dims: dims.map((size, each) => (each === axis ? end - first : size)) };
}

/** The options of one of the packed sequences. */
function optionsOf(options: LinearOptions, axis: number, first: number, end: number): LinearOptions {
  const gate = (tensor: TestTensor): TestTensor => cut(tensor, axis, first, end);
  return {
    ...options,
    ...(options.decay && { decay: gate(options.decay as TestTensor) }),
    ...(options.beta && { beta: gate(options.beta as TestTensor) }),
    ...(options.keyMask && {
      keyMask: { data: (options.keyMask as { data: Uint8Array }).data.slice(first, end), dims: [end - first] },
    }),
  };
}

onEveryEngine((_, engine) => {
  describe.each(LAYOUTS)("%s", (layout) => {
    const axis = layout === "bshd" ? 1 : 2;

    test.each(Object.keys(KINDS))("%s: packed sequences have the bits of calls of their own", (kind) => {
      const inputs = linearInputs(SIZES, 5, layout);
      const { q, k, v } = inputs;
      const options: LinearOptions = { ...KINDS[kind]!(inputs), layout };
      poison(engine);
      const out = engine.linearAttention(q, k, v, { ...options, cuSeqlens: CU_SEQLENS });
      expect(out.dims).toEqual(layout === "bshd" ? [1, 100, 4, 10] : [1, 4, 100, 10]);
      for (const [s, first] of CU_SEQLENS.slice(0, -1).entries()) {
        const end = CU_SEQLENS[s + 1]!;
        const alone = engine.linearAttention(
          ...([q, k, v].map((x) => cut(x, axis, first, end)) as [TestTensor, TestTensor, TestTensor]),
          optionsOf(options, axis, first, end),
        );
        expectSameBits(cut({ data: out.data, dims: [...out.dims] }, axis, first, end).data, alone.data, `sequence ${s}`);
      }
      if (kind === "favor+" || kind === "a function") return; // the reference knows no seeds, and functions row by row
      const truth = reference(q, k, v, { ...options, cuSeqlens: CU_SEQLENS } as ReferenceLinearOptions);
      expect(truth.dims).toEqual(out.dims);
      expect(largestError(out.data, truth.data)).toBeLessThanOrEqual(3e-6);
    });

    test.each(["causal", "linear", "gated", "gated, by channel", "delta", "gated_delta"])(
      "%s: a state for each packed sequence, in pieces, has the bits of a batch",
      (kind) => {
        const sizes: LinearSizes = { ...SIZES, batchSize: 3 };
        const inputs = linearInputs(sizes, 6, layout);
        const { decay, beta, ...kindOptions } = KINDS[kind]!(inputs);
        delete kindOptions.causal; // states are causal
        const config = { ...kindOptions, batchSize: 3, numKeyHeads: 2, numKvHeads: 4, headDim: 9, valueDim: 10 } as const;
        const isByChannel = kind.includes("channel");
        using padded = engine.createLinearAttentionState({ ...config, ...(isByChannel && { channelDecay: true }) });
        using packed = engine.createLinearAttentionState({ ...config, ...(isByChannel && { channelDecay: true }) });
        for (const [first, lengths] of [
          [0, [50, 7, 0]],
          [50, [1, 0, 30]],
        ] as [number, number[]][]) {
          const whole = Math.max(...lengths);
          const of = (x: TestTensor, b: number, count: number): TestTensor => cut(cut(x, 0, b, b + 1), axis, first, first + count);
          const batch = (x: TestTensor): TestTensor => cut(x, axis, first, first + whole);
          const pack = (x: TestTensor): TestTensor => {
            const parts = lengths.map((count, b) => of(x, b, count));
            const total = lengths.reduce((a, b) => a + b, 0);
            const dims = x.dims.map((size, each) => (each === 0 ? 1 : each === axis ? total : size));
            if (layout === "bshd") return { data: Float32Array.from(parts.flatMap(({ data }) => [...data])), dims };
            const heads = Array.from({ length: x.dims[1]! }, (_, h) => parts.flatMap((part) => [...cut(part, 1, h, h + 1).data]));
            return { data: Float32Array.from(heads.flat()), dims };
          };
          const gates = (map: (x: TestTensor) => TestTensor) => ({
            ...(decay && { decay: map(decay as TestTensor) }),
            ...(beta && { beta: map(beta as TestTensor) }),
          });
          const { q, k, v } = inputs;
          const cuSeqlens = [0, ...lengths.map((_, b) => lengths.slice(0, b + 1).reduce((a, c) => a + c, 0))];
          const expected = padded.step(batch(q), batch(k), batch(v), { layout, keyLengths: lengths, ...gates(batch) });
          const found = packed.step(pack(q), pack(k), pack(v), { layout, cuSeqlens, ...gates(pack) });
          for (const [b, count] of lengths.entries()) {
            expectSameBits(
              cut({ data: found.data, dims: [...found.dims] }, axis, cuSeqlens[b]!, cuSeqlens[b + 1]!).data,
              cut(cut({ data: expected.data, dims: [...expected.dims] }, 0, b, b + 1), axis, 0, count).data,
              `rows of sequence ${b}`,
            );
          }
        }
        expect(packed.lengths).toEqual([51, 7, 30]);
        expect(packed.serialize()).toEqual(padded.serialize());
        expectSameBits(packed.sums().data, padded.sums().data, "sums");
      },
    );

    test.each([1, 4])("gates that serve all heads have the bits of gates for each, with %i query heads", (numHeads) => {
      const sizes = parseLinear(`B2-S60-KV60-H${numHeads}/2/4-D9:10`);
      const { q, k, v } = linearInputs(sizes, 7, layout);
      const shared = linearInputs({ ...sizes, numKvHeads: 1 }, 7, layout);
      const headAxis = layout === "bshd" ? 2 : 1;
      const each = (x: TestTensor): TestTensor => {
        const inner = x.dims.slice(headAxis + 1).reduce((a, b) => a * b, 1);
        const rows = Array.from({ length: x.data.length / inner }, (_, row) => x.data.slice(row * inner, (row + 1) * inner));
        const data = Float32Array.from(rows.flatMap((row) => [...row, ...row, ...row, ...row]));
        return { data, dims: x.dims.map((size, at) => (at === headAxis ? 4 : size)) };
      };
      const { decay, channelDecay, beta } = shared;
      const fixed = (count: number): TestTensor => ({ data: new Float32Array(count).fill(-0.2), dims: [count] });
      for (const [options, expanded] of [
        [
          { rule: "gated", decay },
          { rule: "gated", decay: each(decay) },
        ],
        [
          { rule: "gated", decay: channelDecay },
          { rule: "gated", decay: each(channelDecay) },
        ],
        [
          { rule: "gated", decay: fixed(1) },
          { rule: "gated", decay: fixed(4) },
        ],
        [
          { rule: "delta", beta },
          { rule: "delta", beta: each(beta) },
        ],
        [
          { rule: "gated_delta", decay: channelDecay, beta },
          { rule: "gated_delta", decay: each(channelDecay), beta: each(beta) },
        ],
      ] as [LinearOptions, LinearOptions][]) {
        const expected = engine.linearAttention(q, k, v, { ...expanded, layout });
        poison(engine); // gates of the other heads would still lie there
        expectSameBits(engine.linearAttention(q, k, v, { ...options, layout }).data, expected.data, "shared");
        const truth = reference(q, k, v, { ...options, layout } as ReferenceLinearOptions);
        expect(largestError(expected.data, truth.data)).toBeLessThanOrEqual(3e-6);
      }
    });
  });

  test("packed sequences of rank 2, boundaries as bigints and from a typed array", () => {
    const [q, k, v] = [normal([12, 4], 1), normal([12, 4], 2), normal([12, 4], 3)];
    const decay = { data: new Float32Array(12).fill(-0.1), dims: [12] };
    const out = engine.linearAttention(q, k, v, { rule: "gated", decay, cuSeqlens: [0n, 7n, 12n] });
    expect(out.dims).toEqual([12, 4]);
    const other = engine.linearAttention(q, k, v, { rule: "gated", decay, cuSeqlens: Int32Array.of(0, 7, 12) });
    expectSameBits(other.data, out.data, "typed array");
    const truth = reference(q, k, v, { rule: "gated", decay, cuSeqlens: [0, 7, 12] });
    expect(largestError(out.data, truth.data)).toBeLessThanOrEqual(1e-6);
  });

  test("the reference carries states of packed sequences", () => {
    const [q, k, v] = [normal([1, 12, 1, 4], 1), normal([1, 12, 1, 4], 2), normal([1, 12, 1, 3], 3)];
    const initialState = normal([2, 1, 4, 3], 4);
    const finalState = { data: new Float32Array(24) };
    const truth = reference(q, k, v, { rule: "linear", cuSeqlens: [0, 5, 12], initialState, finalState });
    using state = engine.createLinearAttentionState({
      ...{ batchSize: 2, numKvHeads: 1, headDim: 4, valueDim: 3, rule: "linear", initialState },
    });
    const out = state.step(q, k, v, { cuSeqlens: [0, 5, 12] });
    expect(largestError(out.data, truth.data)).toBeLessThanOrEqual(3e-6);
    expect(largestError(state.sums().data, finalState.data)).toBeLessThanOrEqual(3e-6);
  });

  test("packed sequences without rows", () => {
    const none = normal([1, 0, 1, 4], 1);
    expect(engine.linearAttention(none, none, none, { causal: true, cuSeqlens: [0, 0, 0] }).data.length).toBe(0);
    expect(engine.linearAttention(none, none, none, { causal: true, cuSeqlens: [0] }).dims).toEqual([1, 0, 1, 4]);
  });
});

onEveryBuild((_, engine) => {
  const x = normal([1, 12, 2, 4], 1);
  const pair = normal([2, 6, 2, 4], 1);
  const gate = (...dims: number[]): TestTensor => normal(dims, 2);

  test.each<[LinearOptions, TestTensor, string]>([
    [{ cuSeqlens: [] }, x, '"cuSeqlens" is empty, expected [0, …, 12]'],
    [{ cuSeqlens: [1, 12] }, x, '"cuSeqlens" begins with 1, expected 0'],
    [{ cuSeqlens: [0, 5] }, x, '"cuSeqlens" ends with 5, expected seqLen = 12'],
    [{ cuSeqlens: [0, 8, 5, 12] }, x, '"cuSeqlens[2]" is 5, expected at least cuSeqlens[1] = 8'],
    [{ cuSeqlens: [0, 13] }, x, '"cuSeqlens[1]" must be an integer from 0 to 12, got 13'],
    [{ cuSeqlens: [0, 0.5, 12] }, x, '"cuSeqlens[1]" must be an integer from 0 to 12, got 0.5'],
    [{ cuSeqlens: { length: 2 ** 40 } }, x, `"cuSeqlens" has length ${2 ** 40}, expected an integer from 0 to 1048577`],
    [{ cuSeqlens: [0, 6] }, pair, '"cuSeqlens" packs sequences into a batch of 1, but q has batch 2'],
    [{ cuSeqlens: [0, 12], keyLengths: [12] }, x, '"keyLengths" is for padded sequences and cannot be combined with "cuSeqlens"'],
    [
      { rule: "gated", decay: gate(1, 12, 3) },
      x,
      '"decay" has dims [1, 12, 3], expected [1, 12, 2] or [1, 12, 2, 4] (or 1 in place of the 2 heads)',
    ],
    [{ rule: "delta", beta: gate(1, 1, 2) }, x, '"beta" has dims [1, 1, 2], expected [1, 12, 2] (or 1 in place of the 2 heads)'],
  ])("refuses %j", (options, tensor, message) => {
    const { inUse } = engine.info.memory;
    expect(() => engine.linearAttention(tensor, tensor, tensor, options)).toThrow(new RangeError(`linearAttention: ${message}`));
    expect(engine.info.memory.inUse).toBe(inUse);
  });

  test("refuses the wrong kind, more keys than rows, and another number of sequences than the state has", () => {
    expect(() => engine.linearAttention(x, x, x, { cuSeqlens: 12 as never })).toThrow(
      new TypeError('linearAttention: "cuSeqlens" must be an array of integers, got 12'),
    );
    expect(() => engine.linearAttention(normal([1, 3, 2, 4], 1), x, x, { cuSeqlens: [0, 3] })).toThrow(
      new RangeError('linearAttention: "cuSeqlens" needs a key for each row, but k has 12 rows and q has 3'),
    );
    using state = engine.createLinearAttentionState({ batchSize: 2, numKvHeads: 2, headDim: 4 });
    const before = state.serialize();
    expect(() => state.step(x, x, x, { cuSeqlens: [0, 3, 5, 12] })).toThrow(
      new RangeError('LinearAttentionState.step: "cuSeqlens" packs 3 sequences, expected 2 (as in the state)'),
    );
    expect(() => state.step(x, x, x)).toThrow(
      new RangeError('LinearAttentionState.step: "q" has batch 1, expected 2 (as in the state)'),
    );
    expect(state.serialize()).toEqual(before);
  });

  test("absent boundaries are absent", () => {
    const expected = engine.linearAttention(x, x, x, { causal: true });
    for (const cuSeqlens of [undefined, null as never]) {
      expectSameBits(engine.linearAttention(x, x, x, { causal: true, cuSeqlens }).data, expected.data, "absent");
    }
  });
});
