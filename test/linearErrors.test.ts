/** Linear attention: mismatches are named, and nothing is left behind. */
import { describe, expect, test } from "vitest";
import { openBuild } from "./support/builds.js";
import { linearInputs, parseLinear } from "./support/linear.js";
import { normal, type TestTensor } from "./support/random.js";

describe("mismatches are named", () => {
  const { q, k, v, decay, beta } = linearInputs(parseLinear("B1-S4-KV4-H2/2/2-D4:4"), 1);
  const [q5, k3, v3] = [normal([1, 5, 2, 4], 1), normal([1, 4, 3, 4], 1), normal([1, 4, 3, 4], 2)];
  test.each<[string, unknown[], object, string]>([
    ["TypeError", [q, k, v], { rules: 1 }, 'unknown option "rules"; did you mean "rule"?'],
    [
      "TypeError",
      [q, k, v],
      { rule: "linear", featureMap: "relu" },
      '"featureMap" cannot be "relu" with rule "linear", whose map is "identity"',
    ],
    ["TypeError", [q, k, v], { rule: "linear", normalize: true }, '"normalize" cannot be true with rule "linear"'],
    [
      "TypeError",
      [q, k, v],
      { rule: "linear", causal: false },
      '"causal" cannot be false with rule "linear", which takes keys one after the other',
    ],
    ["TypeError", [q, k, v], { rule: "linear", decay }, '"decay" cannot be combined with rule "linear"'],
    ["TypeError", [q, k, v], { rule: "gated" }, '"decay" is missing: rule "gated" needs it'],
    ["TypeError", [q, k, v], { rule: "delta" }, '"beta" is missing: rule "delta" needs it'],
    ["TypeError", [q, k, v], { decay }, '"decay" needs rule "gated" or "gated_delta"'],
    ["TypeError", [q, k, v], { beta }, '"beta" needs rule "delta" or "gated_delta"'],
    [
      "TypeError",
      [q, k, v],
      { featureMap: "softmax", causal: true },
      '"featureMap" cannot be "softmax" when causal: its softmax of keys is over all positions',
    ],
    ["TypeError", [q, k, v], { featureMap: "softmax", normalize: true }, '"normalize" cannot be true with featureMap "softmax"'],
    ["TypeError", [q, k, v], { normalize: false, eps: 1 }, '"eps" has no effect when results are not normalized'],
    ["TypeError", [q, k, v], { seed: 1 }, '"seed" is for featureMap "favor+", but featureMap is "elu+1"'],
    [
      "TypeError",
      [q, k, v],
      { featureMap: 3 },
      '"featureMap" must be a function or one of "identity", "elu+1", "relu", "relu2", "exp", "softmax", "favor+", got 3',
    ],
    ["RangeError", [q, k, v], { rule: "deltas" }, '"rule" must be one of "linear", "gated", "delta", "gated_delta", got "deltas"'],
    ["RangeError", [q, k, v], { chunkSize: 513 }, '"chunkSize" must be an integer from 1 to 512, got 513'],
    ["RangeError", [q, k, v], { eps: -1 }, '"eps" must be a number ≥ 0 within the range of float32, got -1'],
    [
      "RangeError",
      [q5, k, v],
      { causal: true },
      '"k" has kvLen 4, expected 5 (causal: one key for each row; q has dims [1, 5, 2, 4])',
    ],
    ["RangeError", [q, k3, v], {}, '"v" has 2 heads, expected a multiple of the 3 that k has (k has dims [1, 4, 3, 4])'],
    ["RangeError", [q, k, v3], {}, '"v" has 3 heads, expected a multiple of the 2 that k has (k has dims [1, 4, 2, 4])'],
    [
      "RangeError",
      [q, k3, v3],
      {},
      '"q" has 2 heads, expected a multiple or a divisor of the 3 that v has (v has dims [1, 4, 3, 4])',
    ],
    [
      "RangeError",
      [q, k, v],
      { rule: "gated", decay: normal([1, 4, 3], 1) },
      '"decay" has dims [1, 4, 3], expected [1, 4, 2] or [1, 4, 2, 4] (or 1 in place of the 2 heads)',
    ],
    [
      "RangeError",
      [q, k, v],
      { rule: "delta", beta: v },
      '"beta" has dims [1, 4, 2, 4], expected [1, 4, 2] (or 1 in place of the 2 heads)',
    ],
    [
      "TypeError",
      [q, k, v],
      { keyMask: { data: new Float32Array(4), dims: [4] } },
      '"keyMask.data" must be an array of integers or booleans, other than 0 where a key counts, got Float32Array(4)',
    ],
    [
      "RangeError",
      [q, k, v],
      { keyMask: { data: new Uint8Array(5), dims: [5] } },
      '"keyMask" has dims [5], expected [1, 4] or [4] (batch, kvLen)',
    ],
    ["RangeError", [q, k, v], { keyLengths: [5] }, '"keyLengths[0]" must be an integer from 0 to 4, got 5'],
    [
      "RangeError",
      [q, k, v],
      { out: q5 },
      '"out" has dims [1, 5, 2, 4], expected [1, 4, 2, 4] ([batch, seq, heads, valueDim] in layout "bshd")',
    ],
    [
      "RangeError",
      [q, k, v],
      { featureMap: () => q5 },
      '"featureMap(q)" has dims [1, 5, 2, 4], expected [1, 4, 2, features] (as q)',
    ],
  ])("%s %#", (kind, tensors, options, message) => {
    using engine = openBuild("simd");
    const call = (): unknown => engine.linearAttention(...(tensors as [TestTensor, TestTensor, TestTensor]), options);
    expect(call).toThrow(expect.objectContaining({ name: kind, message: `linearAttention: ${message}` }));
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("nothing is read twice, and side effects of getters are detected", () => {
    using engine = openBuild("simd");
    const tensor = engine.tensor([1, 4, 2, 4]);
    const options = {
      get decay() {
        tensor.dispose();
        return undefined;
      },
    };
    expect(() => engine.linearAttention(tensor, k, v, options)).toThrow('linearAttention: "q" has been disposed of');
  });
});

test("scratch does not grow with the length", () => {
  using engine = openBuild("simd");
  const memoryFor = (rows: number): number => {
    const tensors = Array.from({ length: 4 }, () => engine.tensor([1, rows, 1, 8]));
    const [q, k, v, out] = tensors as [(typeof tensors)[0], (typeof tensors)[0], (typeof tensors)[0], (typeof tensors)[0]];
    engine.linearAttention(q, k, v, { out, causal: true });
    engine.linearAttention(q, k, v, { out });
    for (const each of tensors) each.dispose();
    return engine.info.memory.reserved - 4 * q.dims.reduce((a, b) => a * b, 4);
  };
  const [short, long] = [memoryFor(4096), memoryFor(65536)];
  expect(long).toBeLessThanOrEqual(short + 65536);
});
