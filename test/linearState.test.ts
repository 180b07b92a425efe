/** States of linear attention: tokens in pieces of any size give the bits of one call. */
import { type Engine, type LinearAttentionState, type LinearAttentionStateOptions, type LinearInputs } from "headwise";
import { linearAttention as reference } from "headwise/reference";
import { describe, expect, test } from "vitest";
import { expectSameBits, largestError, poison } from "./support/attention.js";
import { canRun, openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { type LinearSizes, linearInputs, parseLinear } from "./support/linear.js";
import { normal, type TestTensor, uniform } from "./support/random.js";

type Inputs = ReturnType<typeof linearInputs>;

interface Kind {
  readonly options: Partial<LinearAttentionStateOptions>;
  readonly gates: readonly ("decay" | "channelDecay" | "beta")[];
}

const KINDS: Record<string, Kind> = {
  "elu+1": { options: {}, gates: [] },
  "relu, chunks of 7": { options: { featureMap: "relu", eps: 0.1, chunkSize: 7 }, gates: [] },
  "favor+": { options: { featureMap: "favor+", features: 21, seed: 5 }, gates: [] },
  "rule linear, chunks of 1": { options: { rule: "linear", chunkSize: 1 }, gates: [] },
  "rule gated": { options: { rule: "gated" }, gates: ["decay"] },
  "rule gated by channel": { options: { rule: "gated", channelDecay: true }, gates: ["channelDecay"] },
  "rule delta": { options: { rule: "delta", chunkSize: 11 }, gates: ["beta"] },
  "rule gated_delta": { options: { rule: "gated_delta" }, gates: ["decay", "beta"] },
  "rule gated_delta by channel": { options: { rule: "gated_delta", channelDecay: true }, gates: ["channelDecay", "beta"] },
};

/** Rows `from` to `to` − 1 of a tensor of any rank whose second axis is the rows. */
function rowsOf({ data, dims }: TestTensor, from: number, to: number): TestTensor {
  const [batch, rows, ...rest] = dims as [number, number, ...number[]];
  const width = rest.reduce((a, b) => a * b, 1);
  const parts = Array.from({ length: batch }, (_, b) => [...data.subarray((b * rows + from) * width, (b * rows + to) * width)]);
  return { data: Float32Array.from(parts.flat()), dims: [batch, to - from, ...rest] };
}

const gatesOf = (inputs: Inputs, { gates }: Kind, from: number, to: number): LinearInputs =>
  Object.fromEntries(gates.map((name) => [name === "beta" ? "beta" : "decay", rowsOf(inputs[name], from, to)]));

const step = (state: LinearAttentionState, inputs: Inputs, kind: Kind, from: number, to: number): Float32Array =>
  state.step(rowsOf(inputs.q, from, to), rowsOf(inputs.k, from, to), rowsOf(inputs.v, from, to), gatesOf(inputs, kind, from, to))
    .data;

const stateFor = (engine: Engine, { batchSize, numKeyHeads, numKvHeads, headDim, valueDim }: LinearSizes, { options }: Kind) =>
  engine.createLinearAttentionState({ batchSize, numKeyHeads, numKvHeads, headDim, valueDim, ...options });

/** One call over all rows, without a state. */
function whole(engine: Engine, inputs: Inputs, kind: Kind): TestTensor {
  const options = { ...kind.options };
  delete options.channelDecay;
  const { data, dims } = engine.linearAttention(inputs.q, inputs.k, inputs.v, {
    ...(options as object),
    ...gatesOf(inputs, kind, 0, inputs.q.dims[1]!),
    causal: true,
  });
  return { data, dims: [...dims] };
}

onEveryEngine((build, engine) => {
  describe.each(Object.keys(KINDS))("%s", (name) => {
    const kind = KINDS[name]!;
    const sizes = parseLinear("B2-S130-KV130-H2/2/4-D5:11");
    const inputs = linearInputs(sizes, 1);

    test("pieces, forks and images in any order have the bits of one call › seeds 1 to 3", () => {
      const expected = whole(engine, inputs, kind);
      for (const seed of [1, 2, 3]) {
        const next = uniform(seed);
        let state = stateFor(engine, sizes, kind);
        for (let at = 0; at < sizes.seqLen;) {
          const action = next();
          if (action < 0.15) {
            const twin = state.fork();
            const other = at + Math.ceil(next() * (sizes.seqLen - at));
            step(state, linearInputs(sizes, 9), kind, at, other); // independently
            state.dispose();
            state = twin;
          } else if (action < 0.3) {
            const image = state.serialize();
            state.dispose();
            poison(engine);
            state = engine.restoreLinearAttentionState(image);
            expectSameBits(state.serialize(), image, "an image of what was restored");
          } else {
            const to = Math.min(sizes.seqLen, at + (action < 0.6 ? 1 : Math.ceil(60 * next() ** 2)));
            expectSameBits(step(state, inputs, kind, at, to), rowsOf(expected, at, to).data, `rows ${at} to ${to}`);
            at = to;
          }
        }
        expect(state.lengths).toEqual([130, 130]);
        state.dispose();
      }
      expect(engine.info.memory.inUse).toBe(0);
    });

    test("sums match the recurrence: 1e-6", () => {
      using state = stateFor(engine, sizes, kind);
      const { q, k, v } = inputs;
      const expected = whole(engine, inputs, kind);
      const found = state.step(q, k, v, gatesOf(inputs, kind, 0, 130));
      expectSameBits(found.data, expected.data, "out");
      if (name === "favor+") return;
      const finalState = { data: new Float64Array(2 * 4 * 5 * 11) };
      const options = { ...kind.options };
      delete options.channelDecay;
      reference(q, k, v, { ...(options as object), ...(gatesOf(inputs, kind, 0, 130) as object), causal: true, finalState });
      const largest = finalState.data.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
      const sums = state.sums();
      expect(sums.dims).toEqual([2, 4, 5, 11]);
      expect(largestError(sums.data, finalState.data)).toBeLessThan(1e-6 * largest);
    });

    test("sequences of different lengths: each as if alone", () => {
      const expected = whole(engine, inputs, kind);
      using state = stateFor(engine, sizes, kind);
      const lengths = [
        [60, 20],
        [0, 50],
        [70, 60],
      ];
      const at = [0, 0];
      for (const counts of lengths) {
        // rows of each sequence from where it is, padded
        const most = Math.max(...counts);
        const gather = (tensor: TestTensor): TestTensor => {
          const padded = [0, 1].map((b) => {
            const one = rowsOf({ ...tensor, data: tensor.data }, at[b]!, at[b]! + counts[b]!);
            const width = one.data.length / 2 / Math.max(counts[b]!, 1);
            const row = new Float32Array(most * width || (most * tensor.data.length) / 260).fill(NaN);
            row.set(counts[b] === 0 ? [] : one.data.subarray((b * one.data.length) / 2, ((b + 1) * one.data.length) / 2));
            return [...row];
          });
          return { data: Float32Array.from(padded.flat()), dims: [2, most, ...tensor.dims.slice(2)] };
        };
        const gates = Object.fromEntries(kind.gates.map((gate) => [gate === "beta" ? "beta" : "decay", gather(inputs[gate])]));
        const out = state.step(gather(inputs.q), gather(inputs.k), gather(inputs.v), { ...gates, keyLengths: counts });
        for (const b of [0, 1]) {
          const width = 4 * 11;
          const found = out.data.subarray(b * most * width, (b * most + counts[b]!) * width);
          expectSameBits(
            found,
            expected.data.subarray((b * 130 + at[b]!) * width, (b * 130 + at[b]! + counts[b]!) * width),
            "rows",
          );
          at[b]! += counts[b]!;
        }
        expect(state.lengths).toEqual(at);
      }
    });
  });

  test("an image can be restored on any build", () => {
    const kind = KINDS["rule gated_delta"]!;
    const sizes = parseLinear("B1-S70-KV70-H1/1/1-D6:5");
    const inputs = linearInputs(sizes, 2);
    using state = stateFor(engine, sizes, kind);
    step(state, inputs, kind, 0, 60);
    using twin = state.fork();
    const expected = step(twin, inputs, kind, 60, 70);
    using other = openBuild(build === "simd" || !canRun("relaxed") ? "debug" : "simd");
    using restored = other.restoreLinearAttentionState(state.serialize());
    expect(largestError(step(restored, inputs, kind, 60, 70), expected)).toBeLessThan(1e-6);
  });

  test("begins with the caller's sums", () => {
    const sizes = parseLinear("B2-S60-KV60-H2/2/2-D5:9");
    const { q, k, v, decay } = linearInputs(sizes, 3);
    const initialState = normal([2, 2, 5, 9], 7);
    using state = engine.createLinearAttentionState({
      batchSize: 2,
      numKvHeads: 2,
      headDim: 5,
      valueDim: 9,
      rule: "gated",
      initialState,
    });
    expectSameBits(state.sums().data, initialState.data, "sums");
    const truth = reference(q, k, v, { rule: "gated", decay, initialState });
    expect(largestError(state.step(q, k, v, { decay }).data, truth.data)).toBeLessThan(2e-6);
  });

  test("sums of many columns: one that is not finite does not affect the others", () => {
    const initialState = normal([1, 3, 4, 530], 8);
    initialState.data.set([NaN, Infinity], 2 * 530 + 17);
    using state = engine.createLinearAttentionState({ numKvHeads: 3, headDim: 4, valueDim: 530, rule: "linear", initialState });
    expectSameBits(state.sums().data, initialState.data, "sums");
  });

  test("sums have nothing of what a decay has cleared, not even NaN", () => {
    using state = engine.createLinearAttentionState({ numKvHeads: 1, headDim: 2, valueDim: 3, rule: "gated" });
    const [k, v] = [normal([4, 2], 8), normal([4, 3], 9)];
    v.data.fill(NaN, 0, 6);
    const decay = { data: Float32Array.of(0, 0, -200, 0), dims: [4] };
    state.step(k, k, v, { decay });
    const expected = [0, 1].flatMap((d) => [0, 1, 2].map((c) => k.data[4 + d]! * v.data[6 + c]! + k.data[6 + d]! * v.data[9 + c]!));
    expect(largestError(state.sums().data, expected)).toBeLessThan(1e-6);
  });

  test("a function as feature map, also after restoring", () => {
    const featureMap = ({ data, dims }: { data: Float32Array; dims: readonly number[] }) => ({ data: data.map(Math.abs), dims });
    const sizes = parseLinear("B1-S60-KV60-H2/2/2-D4:4");
    const { q, k, v } = linearInputs(sizes, 4);
    const expected = engine.linearAttention(q, k, v, { featureMap, causal: true });
    using state = engine.createLinearAttentionState({ numKvHeads: 2, headDim: 4, featureMap });
    const first = state.step(rowsOf(q, 0, 50), rowsOf(k, 0, 50), rowsOf(v, 0, 50));
    expectSameBits(first.data, expected.data.subarray(0, 50 * 8), "first rows");
    expect(() => engine.restoreLinearAttentionState(state.serialize())).toThrow(
      'restoreLinearAttentionState: "featureMap" is missing: the state was made with a function',
    );
    using restored = engine.restoreLinearAttentionState(state.serialize(), featureMap);
    expectSameBits(
      restored.step(rowsOf(q, 50, 60), rowsOf(k, 50, 60), rowsOf(v, 50, 60)).data,
      expected.data.subarray(400),
      "last rows",
    );
  });
});

describe("mismatches are named", () => {
  const least = { numKvHeads: 2, headDim: 4 };
  test.each<[string, object, string]>([
    ["TypeError", { ...least, features: 8 }, '"features" is for featureMap "favor+", but featureMap is "elu+1"'],
    [
      "TypeError",
      { ...least, featureMap: "softmax" },
      '"featureMap" cannot be "softmax" when causal: its softmax of keys is over all positions',
    ],
    ["TypeError", { ...least, channelDecay: true }, '"channelDecay" needs rule "gated" or "gated_delta"'],
    [
      "TypeError",
      { ...least, causal: true },
      'unknown option "causal"; the options are batchSize, numKvHeads, numKeyHeads, headDim, valueDim, channelDecay, initialState, featureMap, normalize, eps, scale, rule, chunkSize, features, seed',
    ],
    ["TypeError", { headDim: 4 }, '"numKvHeads" is missing, expected an integer from 1 to 65536'],
    ["RangeError", { ...least, numKeyHeads: 3 }, '"numKeyHeads" is 3, expected a divisor of numKvHeads 2'],
    [
      "TypeError",
      { ...least, initialState: normal([1, 2, 4, 4], 1) },
      '"initialState" cannot be given where results are normalized: it holds no normalizer',
    ],
    [
      "RangeError",
      { ...least, rule: "linear", initialState: normal([2, 4, 4], 1) },
      '"initialState" has dims [2, 4, 4], expected [1, 2, 4, 4] (batchSize, numKvHeads, features, valueDim)',
    ],
  ])("creation, %s %#", (kind, options, message) => {
    using engine = openBuild("simd");
    expect(() => engine.createLinearAttentionState(options as LinearAttentionStateOptions)).toThrow(
      expect.objectContaining({ name: kind, message: `createLinearAttentionState: ${message}` }),
    );
    expect(engine.info.memory.inUse).toBe(0);
  });

  const x = normal([1, 3, 2, 4], 1);
  test.each<[string, TestTensor[], object, string]>([
    ["RangeError", [x, x, normal([1, 3, 2, 5], 1)], {}, '"v" has valueDim 5, expected 4 (as in the state)'],
    ["RangeError", [x, normal([1, 3, 1, 4], 1), x], {}, '"k" has numKeyHeads 1, expected 2 (as in the state)'],
    [
      "RangeError",
      [normal([2, 3, 2, 4], 1), normal([2, 3, 2, 4], 1), normal([2, 3, 2, 4], 1)],
      {},
      '"q" has batch 2, expected 1 (as in the state)',
    ],
    ["TypeError", [x, x, x], { decay: x }, '"decay" needs rule "gated" or "gated_delta"'],
    [
      "TypeError",
      [x, x, x],
      { rule: "linear" },
      'unknown option "rule"; the options are layout, decay, beta, keyLengths, keyMask, out',
    ],
  ])("step, %s %#", (kind, [q, k, v], options, message) => {
    using engine = openBuild("simd");
    using state = engine.createLinearAttentionState(least);
    const image = state.serialize();
    expect(() => state.step(q!, k!, v!, options)).toThrow(
      expect.objectContaining({ name: kind, message: `LinearAttentionState.step: ${message}` }),
    );
    expect(state.serialize()).toEqual(image);
  });

  test("bytes that are not an image", () => {
    using engine = openBuild("simd");
    using state = engine.createLinearAttentionState(least);
    state.step(x, x, x);
    const image = state.serialize();
    const restore = (bytes: unknown) => () => engine.restoreLinearAttentionState(bytes as Uint8Array);
    const changed = (word: number, value: number): Uint8Array => {
      const copy = image.slice();
      new Uint32Array(copy.buffer)[word] = value;
      return copy;
    };
    const message = (text: string): string => `restoreLinearAttentionState: "bytes" ${text}`;
    expect(restore([])).toThrow(message("must be a Uint8Array, got an array of 0"));
    expect(restore(image.subarray(0, 8))).toThrow(message("has 8 bytes, too few or cut off for a serialized state"));
    expect(restore(changed(0, 1))).toThrow(message("does not begin like a serialized state"));
    expect(restore(changed(1, 2))).toThrow(message("has version 2, expected 1"));
    expect(restore(image.subarray(0, image.length - 4))).toThrow(message("is damaged"));
    expect(restore(changed(6, 5))).toThrow(message("is damaged")); // featureDim
    expect(restore(changed(20, 40))).toThrow(message("is damaged")); // keys in the open chunk
    for (let word = 0; word < 21; word++) {
      for (const value of [0, 1, 3, 255, 65536, 0x7fffffff, 0xffffffff]) {
        try {
          restore(changed(word, value))().dispose();
        } catch (error) {
          expect(String(error)).toMatch(
            /^RangeError: restoreLinearAttentionState: ("bytes"|needs)|^TypeError: .*"featureMap" is missing/,
          );
        }
      }
    }
    state.dispose();
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("an image shorter than the state it describes: the memory does not grow", () => {
    using engine = openBuild("simd");
    using state = engine.createLinearAttentionState({ numKvHeads: 1, headDim: 1, chunkSize: 512 });
    const batchSize = 65536;
    const words = new Uint32Array(18 + batchSize * (3 + 1)); // the sums of each sequence, and nothing of its open chunk
    words.set(new Uint32Array(state.serialize().buffer, 0, 18));
    words[2] = batchSize;
    const { memory } = engine.info;
    expect(() => engine.restoreLinearAttentionState(new Uint8Array(words.buffer))).toThrow(
      new RangeError('restoreLinearAttentionState: "bytes" is damaged'),
    );
    expect(engine.info.memory).toEqual(memory);
  });

  test("after dispose, and when a getter changes the state", () => {
    using engine = openBuild("simd");
    const state = engine.createLinearAttentionState(least);
    const sly = {
      data: x.data,
      get dims() {
        state.step(x, x, x);
        return x.dims;
      },
    };
    expect(() => state.step(sly, x, x)).toThrow("LinearAttentionState.step: this state was changed while the arguments were read");
    state.dispose();
    state.dispose();
    for (const call of [
      () => state.step(x, x, x),
      () => state.serialize(),
      () => state.fork(),
      () => state.lengths,
      () => state.sums(),
    ]) {
      expect(call).toThrow(/^LinearAttentionState\.\w+: this state has been disposed of$/);
    }
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("a call without memory leaves the state unchanged", () => {
    using engine = openBuild("simd");
    using state = engine.createLinearAttentionState(least);
    state.step(x, x, x);
    const image = state.serialize();
    const huge = { data: new Float32Array(0), dims: [1, 0, 2, 4] };
    expect(state.step(huge, huge, huge).dims).toEqual([1, 0, 2, 4]);
    expect(state.serialize()).toEqual(image);
  });
});
