/**
 * The promised determinism, to the bit: for one build no bit depends on the batch, the layout, the rows computed with a row, the
 * keys beyond those that a row sees, the height of the strips, what else is requested, or what the memory held before.
 */
import { describe, expect, test } from "vitest";
import type { AttentionOptions, Engine } from "headwise";
import { STRIP_ROWS } from "../src/runtime/builds.js";
import { type Inputs, expectSameBits, parseShape, places, poison, randomInputs, type Shape } from "./support/attention.js";
import { binaryOf, canRun, openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, randomMask, type TestTensor } from "./support/random.js";

/** Shapes with several blocks, tails everywhere, and grouped heads. */
const SHAPES = ["B2-S19-KV1100-H4/2-D20", "B3-S13-KV37-H2/2-D9:17", "B2-S70-KV70-H6/3-D64"];

const OPTIONS: Record<string, (shape: Shape) => AttentionOptions> = {
  full: () => ({}),
  causal: () => ({ causal: true }),
  window: () => ({ causal: true, window: 30, sinkTokens: 3 }),
  "window across block boundaries": () => ({ causal: true, window: 600 }),
  mask: ({ seqLen, kvLen }) => ({ mask: randomMask([seqLen, kvLen], 5, 0.5), softcap: 4 }),
  bias: ({ numHeads, seqLen, kvLen }) => ({ bias: normal([numHeads, seqLen, kvLen], 6), sinks: normal([numHeads], 7) }),
  "slopes and a table": ({ numHeads }) => ({
    ...{ alibiSlopes: normal([numHeads], 8, 0.1), relativeBias: normal([numHeads, 51], 9), relativeZero: 40, causal: true },
  }),
  "keys of distances": ({ numHeads, headDim }) => ({
    relativeKeys: normal([301, numHeads, headDim], 12),
    contentBias: normal([numHeads, headDim], 13),
    positionBias: normal([numHeads, headDim], 14),
    window: [600, 3],
  }),
};

/** Rows `from` to `to` of sequence `batch`. */
const rowsOf = ({ data, dims: [, rows, heads, channels] }: TestTensor, batch: number, from: number, to: number): TestTensor => {
  const row = heads! * channels!;
  return { data: data.slice((batch * rows! + from) * row, (batch * rows! + to) * row), dims: [1, to - from, heads!, channels!] };
};

/** [batch, seq, heads, channels] → [batch, heads, seq, channels], and back. */
const swapAxes = ({ data, dims: [batch, a, b, channels] }: { data: Float32Array; dims: readonly number[] }): TestTensor => {
  const swapped = new Float32Array(data.length);
  for (let n = 0; n < batch!; n++)
    for (let i = 0; i < a!; i++)
      for (let j = 0; j < b!; j++)
        for (let c = 0; c < channels!; c++)
          swapped[((n * b! + j) * a! + i) * channels! + c] = data[((n * a! + i) * b! + j) * channels! + c]!;
  return { data: swapped, dims: [batch!, b!, a!, channels!] };
};

const attend = (engine: Engine, { q, k, v }: Inputs, options: AttentionOptions) =>
  engine.scaledDotProductAttention(q, k, v, options);

onEveryEngine((build, engine) => {
  for (const shapeName of SHAPES) {
    const shape = parseShape(shapeName);
    const { batchSize, seqLen, kvLen } = shape;
    const inputs = randomInputs(shape, 11);
    for (const [name, optionsOf] of Object.entries(OPTIONS)) {
      const options = optionsOf(shape);
      describe(`${shapeName} › ${name}`, () => {
        const whole = attend(engine, inputs, options);

        test("repeated, in memory with different contents", () => {
          poison(engine);
          expectSameBits(attend(engine, inputs, options).data, whole.data, "second call");
          expectSameBits(attend(openBuild(build), inputs, options).data, whole.data, "another engine");
        });

        test("each sequence alone", () => {
          for (let b = 0; b < batchSize; b++) {
            const alone = { q: rowsOf(inputs.q, b, 0, seqLen), k: rowsOf(inputs.k, b, 0, kvLen), v: rowsOf(inputs.v, b, 0, kvLen) };
            const expected = rowsOf(whole as TestTensor, b, 0, seqLen);
            expectSameBits(attend(engine, alone, options).data, expected.data, `sequence ${b}`);
          }
        });

        test("the other layout", () => {
          const swapped = { q: swapAxes(inputs.q), k: swapAxes(inputs.k), v: swapAxes(inputs.v) };
          const out = attend(engine, swapped, { ...options, layout: "bhsd" });
          expectSameBits(swapAxes(out).data, whole.data, "bhsd");
        });

        test("row by row, and three rows at a time", () => {
          const sequence = { k: rowsOf(inputs.k, 0, 0, kvLen), v: rowsOf(inputs.v, 0, 0, kvLen) };
          for (const step of [1, 3]) {
            for (let i = 0; i < seqLen; i += step) {
              const end = Math.min(i + step, seqLen);
              const part = attend(engine, { q: rowsOf(inputs.q, 0, i, end), ...sequence }, rowOptions(options, shape, i, end));
              expectSameBits(part.data, rowsOf(whole as TestTensor, 0, i, end).data, `rows ${i} to ${end}`);
            }
          }
        });

        test("strips of other heights", () => {
          const height = STRIP_ROWS[build];
          try {
            for (const rows of [1, 4, 6]) {
              STRIP_ROWS[build] = rows;
              expectSameBits(attend(engine, inputs, options).data, whole.data, `strips of ${rows}`);
            }
          } finally {
            STRIP_ROWS[build] = height;
          }
        });

        test("with and without weights, scores and logSumExp", () => {
          const { logSumExp, weights, scores } = places(shape);
          for (const asked of [{ logSumExp }, { weights }, { scores }, { logSumExp, weights, scores }]) {
            expectSameBits(attend(engine, inputs, { ...options, ...asked }).data, whole.data, Object.keys(asked).join());
          }
        });
      });
    }

    test(`${shapeName} › causal › rows do not depend on later keys: f(x[:n]) = f(x)[:n]`, () => {
      const whole = attend(engine, inputs, { causal: true });
      const offset = kvLen - seqLen;
      for (let n = 1; n <= seqLen; n += 4) {
        const prefix = {
          q: rowsOf(inputs.q, 0, 0, n),
          k: rowsOf(inputs.k, 0, 0, offset + n),
          v: rowsOf(inputs.v, 0, 0, offset + n),
        };
        expectSameBits(
          attend(engine, prefix, { causal: true }).data,
          rowsOf(whole as TestTensor, 0, 0, n).data,
          `the first ${n} rows`,
        );
      }
    });
  }
});

/** The options under which rows `from` to `to` alone equal the same rows of the whole call. */
function rowOptions(options: AttentionOptions, { seqLen, kvLen, numHeads }: Shape, from: number, to: number): AttentionOptions {
  const slice = <T extends Float32Array | Uint8Array>(data: T, heads: number): T => {
    const rows = Array.from({ length: heads }, (_, h) =>
      Array.from(data.subarray((h * seqLen + from) * kvLen, (h * seqLen + to) * kvLen)),
    );
    return (data instanceof Float32Array ? Float32Array.from(rows.flat()) : Uint8Array.from(rows.flat())) as T;
  };
  const { mask, bias } = options as { mask?: { data: Uint8Array }; bias?: { data: Float32Array } };
  return {
    ...options,
    queryOffset: kvLen - seqLen + from,
    mask: mask && { data: slice(mask.data, 1), dims: [to - from, kvLen] },
    bias: bias && { data: slice(bias.data, numHeads), dims: [numHeads, to - from, kvLen] },
  };
}

describe("simd", () => {
  test("gives the bits of the debug build, which compiles the same operations without optimising", () => {
    const shape = parseShape("B1-S23-KV600-H2/1-D36");
    const inputs = randomInputs(shape, 3);
    const debug = attend(openBuild("debug"), inputs, { causal: true, softcap: 5 });
    expectSameBits(attend(openBuild("simd"), inputs, { causal: true, softcap: 5 }).data, debug.data, "simd against debug");
  });

  test.runIf(canRun("relaxed"))("and relaxed differ where multiply-adds fuse: the comparison of bits is not blind", () => {
    expect(binaryOf("relaxed")).not.toEqual(binaryOf("simd"));
    const shape = parseShape("B1-S23-KV600-H2/1-D36");
    const inputs = randomInputs(shape, 3);
    const relaxed = openBuild("relaxed");
    const simd = attend(openBuild("simd"), inputs, {});
    const differs = attend(relaxed, inputs, {}).data.some((value, index) => value !== simd.data[index]);
    expect(differs).toBe(relaxed.info.fused);
  });
});
