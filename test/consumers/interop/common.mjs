/** Shared by these programs: seeded inputs, the correct results, and the report that the test reads. */
import { createEngine } from "headwise";
import { scaledDotProductAttention as reference } from "headwise/reference";

export const engine = await createEngine();
export const layout = "bhsd";
/** Sequences, heads, rows, channels. */
export const DIMS = [2, 3, 9, 20];
export const SCALE = 1 / Math.sqrt(20);
const COUNT = DIMS.reduce((product, size) => product * size, 1);

/** Numbers between −1 and 1 (Park & Miller 1988). */
function numbers(seed) {
  let state = seed;
  return Float32Array.from({ length: COUNT }, () => (state = (state * 48271) % 2147483647) / 1073741823.5 - 1);
}

export const [q, k, v] = [11, 12, 13].map((seed) => ({ data: numbers(seed), dims: DIMS }));

/** 1 where a row may attend: [9, 9], every third key is hidden. */
export const MASK = Uint8Array.from({ length: 81 }, (_, index) => (index % 3 === 0 ? 0 : 1));
export const mask = { data: MASK, dims: [9, 9] };

/** The bits of the float16 number nearest to x, for 2⁻¹⁴ ≤ |x| < 2; smaller numbers become 0. */
function halfOf(x) {
  const size = Math.abs(x);
  if (size < 2 ** -14) return 0;
  const exponent = Math.floor(Math.log2(size));
  const sign = x < 0 ? 0x8000 : 0;
  return sign + ((exponent + 15) << 10) + Math.round((size / 2 ** exponent - 1) * 1024); // a carry goes to the exponent, as it should
}

const valueOf = (half) =>
  half === 0 ? 0 : (half & 0x8000 ? -1 : 1) * (1 + (half & 1023) / 1024) * 2 ** (((half >> 10) & 31) - 15);

/** The inputs as float16: their bits and their values. */
export const halves = [q, k, v].map(({ data }) => Uint16Array.from(data, halfOf));
export const halfValues = halves.map((bits) => ({ data: Float32Array.from(bits, valueOf), dims: DIMS }));

export const truth = reference(q, k, v, { layout }).data;
export const maskedTruth = reference(q, k, v, { layout, mask }).data;
export const halfTruth = reference(...halfValues, { layout }).data;

export const attend = (q, k, v, options = {}) => engine.scaledDotProductAttention(q, k, v, { layout, ...options });

/** Largest absolute difference of two arrays of numbers. */
export function difference(a, b) {
  if (a.length !== b.length) return `${a.length} elements, expected ${b.length}`;
  let largest = 0;
  for (const [index, x] of a.entries()) {
    const apart = Math.abs(x - b[index]);
    if (!(apart <= largest)) largest = apart;
  }
  return largest;
}

/** The error of a call. */
export function refusal(call) {
  try {
    call();
    return "nothing was refused";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

/** Prints the findings by name: largest differences, and texts. A page leaves them at `globalThis.result`. */
export function report(found) {
  if (typeof process !== "object") {
    globalThis.result = found;
    return;
  }
  console.log(JSON.stringify(found));
  process.exit(0); // some libraries keep the process alive
}
