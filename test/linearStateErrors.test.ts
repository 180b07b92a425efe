/** What states of linear attention refuse: sizes, bytes, and calls at the wrong moment. */
import { describe, expect, test } from "vitest";
import type { LinearAttentionStateOptions } from "headwise";
import { openBuild } from "./support/builds.js";
import { normal, type TestTensor } from "./support/random.js";

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
      'unknown option "rule"; the options are layout, numHeads, numKvHeads, numKeyHeads, decay, beta, keyLengths, cuSeqlens, keyMask, out',
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

  test("a call without rows leaves the state unchanged", () => {
    using engine = openBuild("simd");
    using state = engine.createLinearAttentionState(least);
    state.step(x, x, x);
    const image = state.serialize();
    const huge = { data: new Float32Array(0), dims: [1, 0, 2, 4] };
    expect(state.step(huge, huge, huge).dims).toEqual([1, 0, 2, 4]);
    expect(state.serialize()).toEqual(image);
  });
});
