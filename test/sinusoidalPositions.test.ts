/** Sinusoidal position embeddings: against the definition, and what they are for. */
import { describe, expect, test } from "vitest";
import type { SinusoidalPositionsOptions } from "headwise";
import { sinusoidalPositions as reference } from "headwise/reference";
import { expectSameBits, largestError, poison } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { normal } from "./support/random.js";

onEveryEngine((_, engine) => {
  test.each([
    [1, 2],
    [5, 6],
    [300, 64],
    [1000, 26],
  ])("%i positions of %i channels: within 1.5 · 2^−24 and the error of the angle", (length, dim) => {
    poison(engine);
    const { type, data, dims } = engine.sinusoidalPositions({ length, dim });
    expect([type, dims]).toEqual(["float32", [length, dim]]);
    expect(largestError(data, reference({ length, dim }).data)).toBeLessThanOrEqual(1.5 * 2 ** -24 + length * 2 ** -51);
  });

  test("are the bits of rotaryTables, side by side", () => {
    const { data } = engine.sinusoidalPositions({ length: 70, dim: 10 });
    const { cos, sin } = engine.rotaryTables({ length: 70, rotaryDim: 10 });
    expectSameBits(data.filter((_, index) => index % 2 === 0), sin.data, "sines"); // prettier-ignore
    expectSameBits(data.filter((_, index) => index % 2 === 1), cos.data, "cosines"); // prettier-ignore
  });

  test("of a later position are those of an earlier one, each pair rotated by the same angle", () => {
    const [distance, dim] = [7, 16];
    const { data } = engine.sinusoidalPositions({ length: 60, dim });
    for (let p = 0; p + distance < 60; p++) {
      for (let c = 0; c < dim; c += 2) {
        const angle = distance * 10000 ** (-c / dim);
        const [sin, cos] = [data[p * dim + c]!, data[p * dim + c + 1]!];
        expect(data[(p + distance) * dim + c]).toBeCloseTo(sin * Math.cos(angle) + cos * Math.sin(angle), 6);
        expect(data[(p + distance) * dim + c + 1]).toBeCloseTo(cos * Math.cos(angle) - sin * Math.sin(angle), 6);
      }
    }
  });

  test("added to tokens, they make attention depend on the order", () => {
    const [length, dim] = [6, 8];
    const tokens = normal([length, dim], 1);
    const reversed = ({ data }: { data: Float32Array }) => ({
      data: Float32Array.from({ length: length * dim }, (_, n) => data[(length - 1 - Math.floor(n / dim)) * dim + (n % dim)]!),
      dims: [length, dim],
    });
    const attend = (x: { data: Float32Array; dims: number[] }) => engine.scaledDotProductAttention(x, x, x);
    const placed = (x: { data: Float32Array; dims: number[] }) =>
      attend(engine.add(x, engine.sinusoidalPositions({ length, dim })));
    expect(largestError(reversed(attend(reversed(tokens))).data, attend(tokens).data)).toBeLessThan(1e-6);
    expect(largestError(reversed(placed(reversed(tokens))).data, placed(tokens).data)).toBeGreaterThan(0.01);
  });

  test("no positions", () => {
    expect(engine.sinusoidalPositions({ length: 0, dim: 4 })).toEqual({ type: "float32", data: new Float32Array(0), dims: [0, 4] });
  });
});

describe("refuses", () => {
  const engine = openBuild("simd");
  test.each<[object | undefined, ErrorConstructor, string]>([
    [undefined, TypeError, '"length" is missing, expected an integer from 0 to 536870912'],
    [{ length: -1, dim: 4 }, RangeError, '"length" must be an integer from 0 to 536870912, got -1'],
    [{ length: 3 }, TypeError, '"dim" is missing, expected an integer from 2 to 1048576'],
    [{ length: 3, dim: 5 }, RangeError, '"dim" must be even, a sine and a cosine for each frequency, got 5'],
    [{ length: 3, dModel: 4 }, TypeError, 'unknown option "dModel"; here it is "dim"'],
    [{ length: 3, dim: 4, base: 500 }, TypeError, 'unknown option "base"; the options are length, dim'],
  ])("%j", (options, kind, message) => {
    const call = (): unknown => engine.sinusoidalPositions(options as SinusoidalPositionsOptions);
    expect(call).toThrow(kind);
    expect(call).toThrow(`sinusoidalPositions: ${message}`);
  });
});
