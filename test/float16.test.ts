/** bfloat16 is widened exactly, and results are rounded to float16 places as IEEE 754 says. */
import { expect, test } from "vitest";
import { onEveryEngine } from "./support/engines.js";
import { float16ArrayOf, float16Of, hasFloat16Array, valueOfFloat16 } from "./support/halves.js";
import { eighths, uniform } from "./support/random.js";
import { shared } from "./support/workerEngines.js";

const [x, row] = [eighths([2, 5, 8], 4), eighths([8], 6)];

onEveryEngine((_, engine) => {
  /** Numbers rounded to float16 by the kernel. */
  const rounded = (data: Float32Array): Uint16Array => {
    const out = { data: new Uint16Array(data.length), dims: [data.length], type: "float16" };
    engine.add({ data, dims: [data.length] }, { data: Float32Array.of(-0), dims: [1] }, { out });
    return out.data;
  };

  const all = Uint16Array.from({ length: 65536 }, (_, index) => index);

  test("all 65536 numbers of bfloat16 are widened exactly", () => {
    const out = { data: new Float32Array(65536), dims: [65536] };
    engine.add({ data: all, dims: [65536], type: "bfloat16" }, { data: Float32Array.of(-0), dims: [1] }, { out });
    const expected = new Float32Array(Uint32Array.from(all, (bits) => bits * 65536).buffer);
    for (const [bits, value] of out.data.entries()) if (!Object.is(value, expected[bits])) expect.fail(`${bits} became ${value}`);
  });

  test("all 65536 numbers of float16 come back; a NaN stays one, with its sign", () => {
    const values = Float32Array.from(all, valueOfFloat16);
    for (const [bits, found] of rounded(values).entries()) {
      if (Number.isNaN(values[bits])) expect(found & 0x7fff).toBeGreaterThan(0x7c00);
      else expect(found).toBe(bits);
    }
    const nans = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001, 0x7fffffff, 0xffc00000, 0x7fc00000).buffer);
    expect(rounded(nans)).toEqual(Uint16Array.of(0x7e00, 0xfe00, 0x7e00, 0xfe00, 0x7e00));
  });

  test("ties go to the even one of two neighbours, and what is beside a tie to the nearer one", () => {
    const lower = all.subarray(0, 0x7c00); // 0 to the largest, whose upper neighbour would be 2¹⁶
    const ties = Float32Array.from(lower, (bits) =>
      bits === 0x7bff ? 65520 : (valueOfFloat16(bits) + valueOfFloat16(bits + 1)) / 2,
    );
    const [up, down] = [1, -1].map(
      (step) => new Float32Array(Uint32Array.from(new Uint32Array(ties.buffer), (bits) => bits + step).buffer),
    ) as [Float32Array, Float32Array];
    expect(rounded(ties)).toEqual(Uint16Array.from(lower, (bits) => bits + (bits % 2)));
    expect(rounded(ties.map((each) => -each))).toEqual(Uint16Array.from(lower, (bits) => 0x8000 + bits + (bits % 2)));
    expect(rounded(up)).toEqual(Uint16Array.from(lower, (bits) => bits + 1));
    expect(rounded(down)).toEqual(lower);
  });

  test("numbers of every size, as the definition rounds them; beyond the range they are infinite", () => {
    const next = uniform(1);
    const bits = Uint32Array.from({ length: 50_001 }, () => Math.floor(next() * 2 ** 32));
    const numbers = new Float32Array(bits.buffer).map((each) => (Number.isNaN(each) ? 1 : each));
    expect(rounded(numbers)).toEqual(Uint16Array.from(numbers, float16Of));
    const special = Float32Array.of(65519.99609375, 65520, -65536, 3e38, Infinity, -Infinity, 2 ** -25, 2 ** -24, -1e-40, -0);
    expect(rounded(special)).toEqual(
      Uint16Array.of(0x7bff, 0x7c00, 0xfc00, 0x7c00, 0x7c00, 0xfc00, 0x0000, 0x0001, 0x8000, 0x8000),
    );
  });

  test.each([0, 1, 2, 3, 4, 5, 7, 9])("a place of %i numbers, and nothing beside it", (length) => {
    const whole = new Uint16Array(length + 2).fill(7);
    const out = { data: whole.subarray(1, length + 1), dims: [length], type: "float16" };
    const ones = { data: new Float32Array(length).fill(0.5), dims: [length] };
    engine.add(ones, ones, { out });
    expect(whole).toEqual(Uint16Array.of(7, ...new Uint16Array(length).fill(0x3c00), 7));
  });

  test.runIf(hasFloat16Array)("a Float16Array as a place, with or without the type", async () => {
    for (const type of [undefined, "float16"]) {
      const place = () => ({ data: float16ArrayOf(new Float32Array(80)), dims: x.dims, type });
      const [out, there] = [place(), place()];
      expect(engine.add(x, row, { out })).toBe(out);
      await shared.add(x, row, { out: there });
      const expected = engine.add(x, row).data;
      expect(Float32Array.from({ length: 80 }, (_, index) => out.data[index]!)).toEqual(expected);
      expect(Float32Array.from({ length: 80 }, (_, index) => there.data[index]!)).toEqual(expected);
    }
  });

  test("results of float16 that lie side by side do not overlap, and ones that do are refused", () => {
    const data = new Uint16Array(100);
    const places = (start: number) => ({
      out: { data: data.subarray(start, start + 80), dims: [1, 5, 2, 8], type: "float16" },
      logSumExp: { data: data.subarray(0, 10), dims: [1, 2, 5], type: "float16" },
    });
    const t = eighths([1, 5, 2, 8], 1);
    engine.scaledDotProductAttention(t, t, t, places(10));
    expect(() => engine.scaledDotProductAttention(t, t, t, places(9))).toThrow(
      new RangeError('scaledDotProductAttention: "out" and "logSumExp" overlap, expected separate places'),
    );
  });
});
