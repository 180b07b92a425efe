/** Numbers of 16 bits: their values, and the nearest one to a number, each by its definition. */

/** The value of the bits of a float16. */
export function valueOfFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return mantissa > 0 ? NaN : sign * Infinity;
  return sign * (exponent > 0 ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : mantissa * 2 ** -24);
}

/** The bits of the float16 nearest to a number, of two as near the even one; NaN is the quiet one. */
export function float16Of(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const units = magnitude / 2 ** (exponent - 10); // exact
  const below = Math.floor(units);
  const apart = units - below;
  const rounded = apart > 0.5 || (apart === 0.5 && below % 2 === 1) ? below + 1 : below;
  return sign | ((exponent + 14) * 1024 + rounded); // a carry goes to the exponent, as it should
}

interface Float16Array {
  readonly [Symbol.toStringTag]: "Float16Array";
  readonly [index: number]: number;
  readonly length: number;
  readonly buffer: ArrayBuffer;
}
const host = (globalThis as unknown as Record<string, { from(numbers: Iterable<number>): Float16Array } | undefined>)[
  "Float16Array"
];
/** Whether the host has Float16Array. */
export const hasFloat16Array = host !== undefined;
export const float16ArrayOf = (numbers: Iterable<number>): Float16Array => host!.from(numbers);
