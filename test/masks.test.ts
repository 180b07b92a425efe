/** Masks as tensors: each equals the corresponding option of attention, to the bit. */
import { describe, expect, test } from "vitest";
import {
  andMasks,
  applyMask,
  type AttentionOptions,
  causalMask,
  documentMask,
  type Mask,
  notMask,
  orMasks,
  paddingMask,
  prefixMask,
  windowMask,
} from "headwise";
import { expectSameBits, parseShape, randomInputs } from "./support/attention.js";
import { onEveryBuild } from "./support/builds.js";
import { normal, randomMask } from "./support/random.js";

onEveryBuild((_, engine) => {
  test.each<[string, AttentionOptions, Mask]>([
    ["B2-S9-KV9-H2/2-D8", { causal: true }, causalMask(9)],
    ["B2-S5-KV9-H2/1-D8", { causal: true }, causalMask(5, 9)],
    ["B1-S9-KV5-H2/2-D8", { causal: true }, causalMask(9, 5)],
    ["B1-S5-KV9-H2/2-D8", { causal: "upper-left" }, causalMask(5, 9, { queryOffset: 0 })],
    ["B1-S5-KV9-H1/1-D8", { causal: true, queryOffset: -3 }, causalMask(5, 9, { queryOffset: -3 })],
    ["B1-S17-KV17-H2/2-D8", { window: 3 }, windowMask(17, 17, 3)],
    ["B1-S7-KV17-H2/2-D8", { window: [2, 0] }, windowMask(7, 17, [2, 0])],
    ["B1-S7-KV17-H2/2-D8", { window: [-1, 1] }, windowMask(7, 17, [-1, 1])],
    ["B1-S7-KV17-H2/2-D8", { window: [1, -1], queryOffset: 2 }, windowMask(7, 17, [1, -1], { queryOffset: 2 })],
    ["B1-S9-KV17-H2/2-D8", { window: [1, 2], sinkTokens: 3 }, windowMask(9, 17, [1, 2], { sinkTokens: 3 })],
    [
      "B1-S9-KV17-H2/2-D8",
      { window: 2, causal: true, sinkTokens: 2 },
      andMasks(causalMask(9, 17), windowMask(9, 17, 2, { sinkTokens: 2 })),
    ],
    ["B3-S4-KV11-H2/2-D8", { keyLengths: [0, 11, 5], queryOffset: 7 }, paddingMask([0, 11, 5], 11)],
    [
      "B3-S4-KV11-H2/2-D8",
      { keyLengths: [1, 11, 5], queryOffset: 7, causal: true },
      andMasks(paddingMask([1, 11, 5], 11), causalMask(4, 11)),
    ],
    ["B1-S9-KV9-H2/2-D8", { cuSeqlensQ: [0, 4, 5, 9] }, documentMask([1, 1, 1, 1, 2, 3, 3, 3, 3])],
    [
      "B1-S9-KV9-H2/2-D8",
      { cuSeqlensQ: [0, 4, 5, 9], causal: true },
      andMasks(documentMask(Int32Array.of(1, 1, 1, 1, 2, 3, 3, 3, 3)), causalMask(9)),
    ],
    ["B2-S6-KV6-H2/2-D8", { causal: true }, prefixMask([0, 0], 6)],
    ["B2-S6-KV6-H2/2-D8", {}, prefixMask(6, 6)],
    ["B2-S6-KV6-H2/2-D8", { causal: true }, notMask(notMask(causalMask(6)))],
  ])("%s %j", (name, options, mask) => {
    const { q, k, v } = randomInputs(parseShape(name), 4);
    const expected = engine.scaledDotProductAttention(q, k, v, options);
    expectSameBits(engine.scaledDotProductAttention(q, k, v, { mask }).data, expected.data, name);
  });

  test("prefix lengths of each sequence: the prefix to all, the rest causally", () => {
    const { q, k, v } = randomInputs(parseShape("B2-S6-KV6-H2/2-D8"), 5);
    const mask = orMasks(causalMask(6), paddingMask([2, 4], 6));
    const prefix = prefixMask([2, 4], 6);
    expect(prefix).toEqual(mask);
    const single = prefixMask(4, 6);
    expect([...single.data]).toEqual([...prefix.data.subarray(36)]);
    expect(engine.scaledDotProductAttention(q, k, v, { mask: prefix }).dims).toEqual([2, 6, 2, 8]);
  });

  test("applyMask, then softmax, is softmax with the mask", () => {
    const scores = normal([2, 3, 5, 7], 6);
    for (const mask of [
      causalMask(5, 7),
      paddingMask([3, 0], 7),
      randomMask([3, 1, 7], 7, 0.5),
      randomMask([2, 1, 5, 1], 8, 0.5),
    ]) {
      const before = scores.data.slice();
      const masked = applyMask(scores, mask);
      expectSameBits(scores.data, before, "the scores");
      expect([masked.type, masked.dims]).toEqual(["float32", scores.dims]);
      expectSameBits(engine.softmax(masked).data, engine.softmax(scores, { mask }).data, "softmax");
    }
  });
});

describe("combining", () => {
  const rows = { data: Uint8Array.of(1, 0, 7), dims: [3, 1] };
  const columns = { data: Uint8Array.of(1, 1, 0, 0), dims: [4] };

  test("and, or, not broadcast; bytes other than 0 are 1", () => {
    expect(andMasks(rows, columns)).toEqual({ data: Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0), dims: [3, 4] });
    expect(orMasks(rows, columns)).toEqual({ data: Uint8Array.of(1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1), dims: [3, 4] });
    expect(notMask(rows)).toEqual({ data: Uint8Array.of(0, 1, 0), dims: [3, 1] });
    expect(andMasks(rows)).toEqual({ data: Uint8Array.of(1, 0, 1), dims: [3, 1] });
    expect(andMasks({ data: new Uint8Array(8).fill(1), dims: [2, 1, 1, 4] }, rows, columns).dims).toEqual([2, 1, 3, 4]);
  });

  test("De Morgan", () => {
    const [a, b] = [randomMask([4, 1, 5], 1, 0.5), randomMask([3, 5], 2, 0.5)];
    expect(notMask(andMasks(a, b))).toEqual(orMasks(notMask(a), notMask(b)));
  });

  test("empty masks", () => {
    expect(causalMask(0)).toEqual({ data: new Uint8Array(0), dims: [0, 0] });
    expect(causalMask(3, 0)).toEqual({ data: new Uint8Array(0), dims: [3, 0] });
    expect(paddingMask([], 3)).toEqual({ data: new Uint8Array(0), dims: [0, 1, 1, 3] });
    expect(documentMask([])).toEqual({ data: new Uint8Array(0), dims: [0, 0] });
    expect(andMasks(causalMask(0), causalMask(1)).dims).toEqual([0, 0]);
  });

  test("documents of each sequence", () => {
    expect(documentMask([[1, 1], Int32Array.of(1, 2)])).toEqual({
      data: Uint8Array.of(1, 1, 1, 1, 1, 0, 0, 1),
      dims: [2, 1, 2, 2],
    });
  });
});

describe("mismatches are named", () => {
  const bytes = { data: new Uint8Array(4), dims: [4] };
  test.each<[() => unknown, string]>([
    [() => causalMask(-1), 'causalMask: "seqLen" must be an integer from 0 to 1073741824, got -1'],
    [() => causalMask(2, 2.5), 'causalMask: "kvLen" must be an integer from 0 to 1073741824, got 2.5'],
    [
      () => causalMask(2, 2, { queryOffset: 0.5 }),
      'causalMask: "queryOffset" must be an integer from -536870912 to 536870912, got 0.5',
    ],
    [() => causalMask(2, 2, { offset: 1 } as object), 'causalMask: unknown option "offset"; the only option is queryOffset'],
    [() => windowMask(2, 2, -2), 'windowMask: "window" must be an integer from -1 to 536870912, got -2'],
    [() => windowMask(2, 2, [1, -2]), 'windowMask: "window[1]" must be an integer from -1 to 536870912, got -2'],
    [() => windowMask(2, 2, [1] as never), 'windowMask: "window" must be a number or [left, right], got an array of 1'],
    [() => windowMask(2, 2, 1, { sinkTokens: -1 }), 'windowMask: "sinkTokens" must be an integer from 0 to 536870912, got -1'],
    [() => paddingMask([3], 2), 'paddingMask: "lengths[0]" must be an integer from 0 to 2, got 3'],
    [() => paddingMask(3 as never, 2), 'paddingMask: "lengths" must be an array of integers, got 3'],
    [() => prefixMask(4, 3), 'prefixMask: "prefixLength" must be an integer from 0 to 3, got 4'],
    [() => prefixMask([1, 4], 3), 'prefixMask: "prefixLength[1]" must be an integer from 0 to 3, got 4'],
    [() => documentMask(3 as never), 'documentMask: "documentIds" must be an array of integers, got 3'],
    [() => documentMask([[1, 2], [1]]), 'documentMask: "documentIds[1]" holds 1 element, expected 2 (as documentIds[0])'],
    [() => andMasks(), "andMasks: masks are missing, expected at least 1"],
    [() => andMasks(bytes, { ...bytes, dims: [3] }), 'andMasks: "masks[1]" holds 4 elements, expected 3'],
    [() => orMasks(bytes, causalMask(3)), "orMasks: masks of dims [4] and [3, 3] do not broadcast to one another"],
    [() => notMask(3 as never), 'notMask: "mask" must be a tensor { data, dims } or { shape, dataSync() }, got 3'],
    [
      () => notMask(normal([3], 1) as never),
      'notMask: "mask.data" must be an array of integers or booleans, other than 0 where a query may attend, got Float32Array(3)',
    ],
    [() => notMask({ data: new Uint8Array(1), dims: 1 as never }), 'notMask: "mask.dims" must be an array of sizes, got 1'],
    [
      () => applyMask(normal([3], 1), causalMask(3)),
      'applyMask: "mask" has dims [3, 3], which do not broadcast to those of scores, [3]',
    ],
    [() => applyMask(bytes as never, bytes), 'applyMask: "scores.data" must be a Float32Array, got Uint8Array(4)'],
  ])("%#", (call, message) => {
    expect(call).toThrow(message);
  });
});
