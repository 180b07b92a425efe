/** Activation functions in float64, by their definitions. */
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The functions by name; the limit at −∞ is 0, where x · 0 would be NaN. */
export const ACTIVATIONS = {
  gelu: (x: number): number => (x === -Infinity ? 0 : x * normalDistribution(x)), // Hendrycks & Gimpel 2016, arXiv:1606.08415
  "gelu-tanh": (x: number): number => (x === -Infinity ? 0 : x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))), // (1 + tanh(u)) / 2 = σ(2u)
  silu: (x: number): number => (x === -Infinity ? 0 : x * sigmoid(x)), // Elfwing, Uchibe & Doya 2017, arXiv:1702.03118
  relu: (x: number): number => Math.max(x, 0),
  tanh: (x: number): number => Math.tanh(x),
  sigmoid,
};

/**
 * activation(x), or activation(x) · gate (Shazeer 2020, arXiv:2002.05202).
 *
 * @param gate  has the sizes of x
 * @returns { data, dims } with the sizes of x
 *
 * @example
 * import { activate } from "headwise/reference";
 *
 * console.log(activate({ data: [-1, 2], dims: [2] }, "relu", { gate: { data: [5, 5], dims: [2] } }).data); // Float64Array(2) [0, 10]
 */
export function activate(
  x: ReferenceTensor,
  kind: keyof typeof ACTIVATIONS,
  { gate }: { gate?: ReferenceTensor | undefined } = {},
): ReferenceResult {
  const data = Float64Array.from(x.data, ACTIVATIONS[kind]);
  if (gate) for (let index = 0; index < data.length; index++) data[index]! *= gate.data[index]!;
  return { data, dims: x.dims };
}

/** Nothing cancels, for either sign of x. */
function sigmoid(x: number): number {
  return x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x));
}

/** Φ(x), by the complement of the error function. */
function normalDistribution(x: number): number {
  return x > 0 ? 1 - erfc(x / Math.SQRT2) / 2 : erfc(-x / Math.SQRT2) / 2;
}

/** 2/√π ∫_z^∞ e^(−t²) dt for z ≥ 0; Abramowitz & Stegun 7.1.6 and 7.1.14. */
function erfc(z: number): number {
  if (z === Infinity) return 0;
  const factor = Math.exp(-z * z) / Math.sqrt(Math.PI);
  if (z < 2.5) {
    let term = z;
    let sum = z;
    for (let n = 1; n < 80; n++) sum += term *= (2 * z * z) / (2 * n + 1);
    return 1 - 2 * factor * sum;
  }
  let fraction = z;
  for (let n = 100; n > 0; n--) fraction = z + n / 2 / fraction;
  return factor / fraction;
}
