/** The allocator against a naive one, and with more spans than a linear one could handle. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Arena } from "../src/runtime/arena.js";
import { type Gap, Gaps } from "../src/runtime/gaps.js";
import type { LinearMemory } from "../src/runtime/memory.js";
import { openBuild } from "./support/builds.js";

const LIMIT = 2 ** 32;
const BASE = 4096;
const memory: Pick<LinearMemory, "byteLength" | "growTo"> = { byteLength: LIMIT, growTo: () => false };
const lines = (bytes: number): number => Math.max(64, Math.ceil(bytes / 64) * 64);

/** First fit by linear search. */
class Naive {
  readonly spans: { ptr: number; bytes: number }[] = [];

  allocate(bytes: number): number {
    let ptr = BASE;
    let index = 0;
    for (; index < this.spans.length; index++) {
      const span = this.spans[index]!;
      if (span.ptr - ptr >= lines(bytes)) break;
      ptr = span.ptr + span.bytes;
    }
    this.spans.splice(index, 0, { ptr, bytes: lines(bytes) });
    return ptr;
  }

  get inUse(): number {
    return this.spans.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get top(): number {
    const last = this.spans.at(-1);
    return last ? last.ptr + last.bytes : BASE;
  }
}

describe("the arena", () => {
  test("puts each span into the first gap that holds it, as linear search does", () => {
    const step = fc.oneof(
      fc.record({ bytes: fc.integer({ min: 0, max: 1000 }) }),
      fc.record({ freed: fc.nat() }),
      fc.record({ freed: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const arena = new Arena(memory, BASE, LIMIT);
        const naive = new Naive();
        for (const each of [{ bytes: 100 }, { bytes: 0 }, { bytes: 300 }, ...steps]) {
          if ("bytes" in each) expect(arena.allocate("test", each.bytes)).toBe(naive.allocate(each.bytes));
          else if (naive.spans.length > 0) {
            for (const { ptr } of naive.spans.splice(each.freed % naive.spans.length, 1)) arena.free(ptr);
          }
          expect(arena.inUse).toBe(naive.inUse);
          expect(arena.room).toBe(LIMIT - 64 - naive.top);
        }
        for (const { ptr } of naive.spans) arena.free(ptr);
        expect(arena.inUse).toBe(0);
        expect(arena.openScratch("test", 100), "nothing is left below").toBe(BASE);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("refuses what exceeds the limit, and stays unchanged", () => {
    const arena = new Arena(memory, BASE, BASE + 1024);
    const first = arena.allocate("test", 512);
    expect(() => arena.allocate("test", 512)).toThrow("test: needs 5184 bytes of memory");
    arena.free(first);
    expect(arena.allocate("test", 960)).toBe(first);
    arena.free(12345); // not allocated
    expect(arena.inUse).toBe(960);
  });

  test("searches a tree that is not much higher than a balanced one", () => {
    const gaps = new Gaps();
    const count = 2 ** 15;
    for (let index = 0; index < count; index++) gaps.add(index * 128, 64 + (index % 7));
    const heightOf = (gap: Gap | undefined): number => (gap ? 1 + Math.max(heightOf(gap.before), heightOf(gap.behind)) : 0);
    expect(heightOf(gaps.tree)).toBeLessThan(4 * Math.log2(count));
    for (let index = 0; index < count; index++) gaps.remove(index * 128);
    expect(gaps.firstOf(1)).toBeUndefined();
  });

  test("handles 400,000 spans, half of them gaps: linear search would take hours", () => {
    const arena = new Arena(memory, BASE, LIMIT);
    const spans = Array.from({ length: 400_000 }, () => arena.allocate("test", 64));
    for (const [index, ptr] of spans.entries()) if (index % 2 === 0) arena.free(ptr);
    expect(arena.allocate("test", 128)).toBe(spans.at(-1)! + 64);
    const refilled = spans.filter((_, index) => index % 2 === 0).map(() => arena.allocate("test", 1));
    expect(refilled).toEqual(spans.filter((_, index) => index % 2 === 0));
    expect(arena.inUse).toBe(400_002 * 64);
  });

  test("an engine can hold 40,000 tensors", () => {
    const engine = openBuild("simd");
    const before = engine.info.memory.inUse;
    const tensors = Array.from({ length: 40_000 }, (_, index) => engine.tensor([1 + (index % 40)]));
    for (let index = 0; index < tensors.length; index += 3) tensors[index]!.dispose();
    expect(engine.info.memory.inUse).toBeGreaterThan(before);
    for (const tensor of tensors) tensor.dispose();
    expect(engine.info.memory.inUse).toBe(before);
  });
});
