/** The kernels as text: what the package carries is what was compiled. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { encodePrintable } from "../scripts/builder/printable.mjs";
import { decodePrintable } from "../src/runtime/printable.js";

const decoded = (text: string): Buffer => Buffer.from(decodePrintable(text));

test.each(["simd", "relaxed", "wide", "attention-simd", "attention-relaxed", "attention-wide"])("build %s", async (build) => {
  const { text } = (await import(`../src/runtime/binary/${build}.ts`)) as { text: string };
  const module = readFileSync(`build/${build}.wasm`);
  expect(decoded(text).equals(module)).toBe(true);
  expect(text).toMatch(/^[0-9a-f]{64}[ -~]+$/);
  expect(text.length, "rare bytes are few").toBeLessThan(1.1 * module.length);
});

test.each<[string, (index: number) => number]>([
  ["each byte once", (index) => index],
  ["the upper half more often", (index) => (index < 256 ? index : 128 + (index % 128))],
  ["each byte equally often, interleaved", (index) => (index * 77) % 256],
])("%s", (_, byteAt) => {
  const bytes = Buffer.from(Array.from({ length: 1024 }, (_, index) => byteAt(index % 1000)));
  expect(decoded(encodePrintable(bytes)).equals(bytes)).toBe(true);
});

test("no byte at all", () => expect(decoded(encodePrintable(new Uint8Array(0)))).toHaveLength(0));
