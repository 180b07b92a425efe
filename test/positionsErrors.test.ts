/** Positions that a call refuses, and places that overlap them. */
import { describe, expect, test } from "vitest";
import { openBuild } from "./support/builds.js";
import { countOf } from "./support/random.js";

const zeros = (...dims: number[]) => ({ data: new Float32Array(countOf(dims)), dims });

const engine = openBuild("simd");
const [q, kv] = [zeros(2, 5, 4, 8), zeros(2, 7, 2, 8)];

describe("refuses", () => {
  test.each<[what: string, options: Record<string, unknown>, message: string]>([
    [
      "slopes of other heads",
      { alibiSlopes: zeros(2) },
      '"alibiSlopes" has dims [2], expected [numHeads] = [4] or [batch, numHeads] = [2, 4]',
    ],
    [
      "slopes of one entry of two",
      { alibiSlopes: zeros(1, 4) },
      '"alibiSlopes" has dims [1, 4], expected [numHeads] = [4] or [batch, numHeads] = [2, 4]',
    ],
    [
      "a slope for all heads",
      { alibiSlopes: zeros() },
      '"alibiSlopes" has dims [], expected [numHeads] = [4] or [batch, numHeads] = [2, 4]',
    ],
    [
      "a table without an axis of heads",
      { relativeBias: zeros(9) },
      '"relativeBias" has dims [9], expected [numHeads, distances] or [1, distances] with numHeads 4',
    ],
    [
      "a table of other heads",
      { relativeBias: zeros(2, 9) },
      '"relativeBias" has dims [2, 9], expected [numHeads, distances] or [1, distances] with numHeads 4',
    ],
    ["a table of no distances", { relativeBias: zeros(4, 0) }, '"relativeBias" has 0 distances, expected at least 1'],
    [
      "a table without a middle",
      { relativeBias: zeros(4, 6) },
      '"relativeZero" is missing: "relativeBias" has 6 distances, an even number without a middle',
    ],
    [
      "an index of 0 beyond the table",
      { relativeBias: zeros(4, 6), relativeZero: 6 },
      '"relativeZero" must be an integer from 0 to 5, got 6',
    ],
    [
      "an index of 0 beyond the shorter of two",
      { relativeBias: zeros(4, 9), relativeKeys: zeros(3, 1, 8), relativeZero: 4 },
      '"relativeZero" must be an integer from 0 to 2, got 4',
    ],
    ["an index of 0 of nothing", { relativeZero: 0 }, '"relativeZero" needs "relativeBias" or "relativeKeys"'],
    [
      "keys without an axis of heads",
      { relativeKeys: zeros(9, 8) },
      '"relativeKeys" has dims [9, 8], expected [distances, numHeads or 1, headDim] with numHeads 4 and headDim 8',
    ],
    [
      "keys of key/value heads",
      { relativeKeys: zeros(9, 2, 8) },
      '"relativeKeys" has dims [9, 2, 8], expected [distances, numHeads or 1, headDim] with numHeads 4 and headDim 8',
    ],
    [
      "keys of another size",
      { relativeKeys: zeros(9, 4, 6) },
      '"relativeKeys" has dims [9, 4, 6], expected [distances, numHeads or 1, headDim] with numHeads 4 and headDim 8',
    ],
    ["keys of no distances", { relativeKeys: zeros(0, 4, 8) }, '"relativeKeys" has 0 distances, expected at least 1'],
    [
      "keys without a middle",
      { relativeKeys: zeros(2, 4, 8) },
      '"relativeZero" is missing: "relativeKeys" has 2 distances, an even number without a middle',
    ],
    ["a content bias alone", { contentBias: zeros(4, 8) }, '"contentBias" needs "relativeKeys"'],
    ["a position bias alone", { positionBias: zeros(4, 8) }, '"positionBias" needs "relativeKeys"'],
    [
      "a bias of other sizes",
      { relativeKeys: zeros(3, 1, 8), contentBias: zeros(1, 8) },
      '"contentBias" has dims [1, 8], expected [4, 8] (numHeads, headDim)',
    ],
    [
      "a bias in one row",
      { relativeKeys: zeros(3, 1, 8), positionBias: zeros(32) },
      '"positionBias" has dims [32], expected [4, 8] (numHeads, headDim)',
    ],
  ])("%s", (_, options, message) => {
    for (const name of ["scaledDotProductAttention", "planAttention"] as const) {
      const call = (): unknown => engine[name](q, kv, kv, options);
      expect(call).toThrow(new RangeError(`${name}: ${message}`));
    }
  });

  test.each([
    [{ relativeZero: 1.5 }, RangeError, '"relativeZero" must be an integer from 0 to 8, got 1.5'],
    [{ relativeZero: NaN }, RangeError, '"relativeZero" must be an integer from 0 to 8, got NaN'],
    [{ relativeZero: "4" }, TypeError, '"relativeZero" must be an integer from 0 to 8, got "4"'],
  ])("%j", (options, kind, message) => {
    const call = (): unknown => engine.scaledDotProductAttention(q, kv, kv, { relativeBias: zeros(1, 9), ...options } as never);
    expect(call).toThrow(kind);
    expect(call).toThrow(`scaledDotProductAttention: ${message}`);
  });

  test("attention with other scores has no keys of distances", () => {
    const call = (): unknown => engine.cosineAttention(q, kv, kv, { relativeKeys: zeros(3, 1, 8) } as never);
    expect(call).toThrow(TypeError);
    expect(call).toThrow('cosineAttention: unknown option "relativeKeys"');
  });
});

test.each([
  ["alibiSlopes", [2, 4]],
  ["relativeBias", [1, 320]],
  ["relativeKeys", [40, 1, 8]],
  ["contentBias", [4, 8]],
  ["positionBias", [4, 8]],
])("a result that overlaps %s in the engine's memory", (name, dims) => {
  using memory = engine.tensor([320]);
  const [out, given] = [memory.reshape([2, 5, 4, 8]), countOf(dims) === 320 ? memory.reshape(dims) : undefined];
  const part = given ?? { data: memory, dims, strides: dims.length === 2 ? [dims[1]!, 1] : [1], offset: 0 };
  const options = { relativeKeys: zeros(3, 1, 8), relativeZero: 1, [name]: part, out };
  expect(() => engine.scaledDotProductAttention(q, kv, kv, options as never)).toThrow(
    new RangeError(
      `scaledDotProductAttention: "out" overlaps "${name}" in the engine's memory; only the tensor "q" itself may be overwritten`,
    ),
  );
});
