/** Slopes of ALiBi: the paper's numbers, and those of its code for other numbers of heads. */
import { expect, test } from "vitest";
import { alibiSlopes } from "headwise";

/** get_slopes of the paper's repository, in float64. */
function slopesOf(heads: number): number[] {
  if (Number.isInteger(Math.log2(heads))) return Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads));
  const first = 2 ** Math.floor(Math.log2(heads));
  const others = slopesOf(2 * first).filter((_, index) => index % 2 === 0);
  return [...slopesOf(first), ...others.slice(0, heads - first)];
}

test("eight heads: the slopes that the paper states, exactly", () => {
  const { type, data, dims } = alibiSlopes(8);
  expect([...data]).toEqual([1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]);
  expect([type, dims]).toEqual(["float32", [8]]);
});

test("any number of heads: those of the paper's code, rounded to float32 (at most 1 ulp)", () => {
  for (const heads of [...Array.from({ length: 130 }, (_, n) => n + 1), 65535, 65536]) {
    const { data, dims } = alibiSlopes(heads);
    expect(dims).toEqual([heads]);
    for (const [h, slope] of slopesOf(heads).entries()) {
      const difference = Math.abs(data[h]! - slope);
      if (difference > slope * 2 ** -23) expect.fail(`head ${h} of ${heads}: ${data[h]}, expected ${slope}`);
    }
  }
});

test("twelve heads: eight as of eight, then every other one of sixteen", () => {
  const { data } = alibiSlopes(12);
  expect(data.slice(0, 8)).toEqual(alibiSlopes(8).data);
  expect([...data.slice(8)]).toEqual([0, 2, 4, 6].map((h) => alibiSlopes(16).data[h]));
});

test.each([
  [0, RangeError, '"numHeads" must be an integer from 1 to 65536, got 0'],
  [2 ** 17, RangeError, '"numHeads" must be an integer from 1 to 65536, got 131072'],
  [1.5, RangeError, '"numHeads" must be an integer from 1 to 65536, got 1.5'],
  ["8", TypeError, '"numHeads" must be an integer from 1 to 65536, got "8"'],
  [undefined, TypeError, '"numHeads" is missing, expected an integer from 1 to 65536'],
])("refuses %j heads", (heads, kind, message) => {
  expect(() => alibiSlopes(heads as number)).toThrow(kind);
  expect(() => alibiSlopes(heads as number)).toThrow(`alibiSlopes: ${message}`);
});
