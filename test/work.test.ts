/**
 * Masks bound the loops: how much of its scratch a call writes. Free memory is filled with a pattern first; memory that still holds it
 * afterwards was not touched. Keys that no row sees are not packed, and a strip scores only the keys that its own rows see.
 */
import { expect, test } from "vitest";
import type { AttentionOptions } from "headwise";
import { scaledDotProductAttention } from "../src/attention/scaledDotProductAttention.js";
import { instantiate } from "../src/runtime/instantiate.js";
import { Runtime } from "../src/runtime/runtime.js";
import { STRIP_ROWS } from "../src/runtime/builds.js";
import { binaryOf, onEveryBuild } from "./support/builds.js";
import { normal } from "./support/random.js";

const BYTES = 2 ** 23;
const PATTERN = 0x5a5a5a5a;
const HEAD_DIM = 8;

onEveryBuild((build) => {
  /** Floats that one call writes beyond its inputs and its output. */
  function written(seqLen: number, kvLen: number, options: AttentionOptions): number {
    const runtime = new Runtime(instantiate("test", binaryOf(build), { initialBytes: BYTES, maximumBytes: BYTES }));
    const [q, k, v] = [normal([seqLen, HEAD_DIM], 1), normal([kvLen, HEAD_DIM], 2), normal([kvLen, HEAD_DIM], 3)];
    const { i32 } = runtime.memory;
    i32.fill(PATTERN);
    scaledDotProductAttention(runtime, q, k, v, options);
    return i32.reduce((count, word) => count + (word === PATTERN ? 0 : 1), 0) - 2 * q.data.length - k.data.length - v.data.length;
  }
  const panels = (keys: number): number => 2 * keys * HEAD_DIM; // of keys and values

  test("a window packs and scores only the blocks of keys that it reaches", () => {
    const whole = written(4, 8192, {});
    const window = written(4, 8192, { window: [100, 0] });
    expect(whole).toBeGreaterThan(panels(8192));
    expect(window).toBeLessThan(panels(512) + 6 * 512 + 1000);
  });

  test("sink tokens add their own block, not the blocks in between", () => {
    const window = written(4, 8192, { window: [100, 0] });
    const sinks = written(4, 8192, { window: [100, 0], sinkTokens: 4 });
    expect(sinks - window).toBeLessThan(panels(512) + 100);
  });

  test("a causal row skips the keys after its position", () => {
    expect(written(4, 4096, { causal: "upper-left" })).toBeLessThan(panels(8) + 6 * 8 + 1000);
  });

  test("packing ends at the key lengths", () => {
    expect(written(4, 4096, { keyLengths: [16] })).toBeLessThan(panels(16) + 6 * 16 + 1000);
  });

  test("each strip scores the keys of its own rows, not those of the whole call", () => {
    // The last strip of a narrow window sees one or two panels; 64 rows together see eight.
    const rows = STRIP_ROWS[build];
    const window = written(64 * rows, 64 * rows, { window: 0 });
    const whole = written(64 * rows, 64 * rows, {});
    expect(whole - window).toBeGreaterThan(rows * (64 * rows - 32));
  });
});
