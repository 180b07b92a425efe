/**
 * Seeded inputs that are the same on every host: integers, and floats computed from them by +, − and ×. No function of the host's Math
 * is used, since engines differ in the last bits.
 */
import { countOf, uniform } from "../support/random.js";

export interface Numbers {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}
export interface Bytes {
  readonly data: Uint8Array;
  readonly dims: readonly number[];
}
/** The bits of float16 numbers. */
export interface Halves {
  readonly type: "float16";
  readonly data: Uint16Array;
  readonly dims: readonly number[];
}

/** Special cases of arithmetic: zeros, subnormal numbers, the ends of the normal range, infinities, and NaN. */
// prettier-ignore
const EXTREMES = Float32Array.of(
  0, -0, 1e-45, -1e-45, 1.1754942e-38, 1.1754944e-38, -1.1754944e-38, 5.9604645e-8, -5.9604645e-8, 1, -1,
  87.5, -87.5, 88.75, -103.5, 16777218, 1e19, -1e19, 3e38, -3e38, Infinity, -Infinity, NaN,
);

/** Random numbers of one case; each call continues where the previous one ended. */
export class Inputs {
  /** Multiples of 2⁻³² in [0, 1). */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = uniform(seed);
  }

  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  integers(count: number, least: number, most: number): number[] {
    return Array.from({ length: count }, () => this.integer(least, most));
  }

  /** Floats as `draw` gives them, rounded to float32. */
  #floats(dims: readonly number[], draw: () => number): Numbers {
    return { data: Float32Array.from({ length: countOf(dims) }, draw), dims };
  }

  /** About normally distributed: the sum of four uniform numbers, which float64 holds exactly. */
  numbers(dims: readonly number[], deviation = 1): Numbers {
    const { next } = this;
    return this.#floats(dims, () => (next() + next() + next() + next() - 2) * 1.75 * deviation);
  }

  between(low: number, high: number, dims: readonly number[]): Numbers {
    return this.#floats(dims, () => low + this.next() * (high - low));
  }

  /** Any float32 that is finite and not subnormal, with exponents and signs distributed evenly. */
  anyNumbers(dims: readonly number[]): Numbers {
    const bits = Uint32Array.from({ length: countOf(dims) }, () => {
      const [sign, exponent, fraction] = [this.integer(0, 1), this.integer(1, 254), this.integer(0, 2 ** 23 - 1)];
      return sign * 2 ** 31 + exponent * 2 ** 23 + fraction;
    });
    return { data: new Float32Array(bits.buffer), dims };
  }

  /** Numbers of which one in `every` is extreme. */
  extremes(dims: readonly number[], every: number): Numbers {
    const { data } = this.numbers(dims);
    for (let index = 0; index < data.length; index++) {
      if (this.integer(1, every) === 1) data[index] = EXTREMES[this.integer(0, EXTREMES.length - 1)]!;
    }
    return { data, dims };
  }

  /** Float16 numbers up to 4 in magnitude, including subnormal ones. */
  halves(dims: readonly number[]): Halves {
    const draw = (): number => this.integer(0, 1) * 2 ** 15 + this.integer(0, 16) * 2 ** 10 + this.integer(0, 1023);
    return { type: "float16", data: Uint16Array.from({ length: countOf(dims) }, draw), dims };
  }

  /** Bytes that are 1 with the given probability. */
  mask(dims: readonly number[], probability: number): Bytes {
    return { data: Uint8Array.from({ length: countOf(dims) }, () => Number(this.next() < probability)), dims };
  }
}

/** An array for results. */
export const place = (...dims: readonly number[]): Numbers => ({ data: new Float32Array(countOf(dims)), dims });
