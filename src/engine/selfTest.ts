/**
 * Compares a few results of the kernels with known ones at creation, to check that this host computes what it validated.
 * Small, as it delays the first result: under 3 ms in all.
 */
import { scaledDotProductAttention } from "../attention/scaledDotProductAttention.js";
import type { Runtime } from "../runtime/runtime.js";

const TOLERANCE = 1e-6;

// Six tokens, headDim 3, softmax(q·kᵀ / √3) · v where no token sees a later one, computed in float64.
const Q = [0.2, 0.5, 0.1, 0.4, 0.6, 0.2, 0.1, 0.3, 0.2, 0.3, 0.4, 0.1, 0.5, 0.2, 0.3, 0.3, 0.1, 0.5];
const K = [0.1, 0.3, 0.6, 0.2, 0.4, 0.7, 0.3, 0.5, 0.4, 0.4, 0.3, 0.5, 0.6, 0.4, 0.2, 0.4, 0.2, 0.6];
const V = [0.3, 0.2, 0.8, 0.5, 0.3, 0.9, 0.2, 0.1, 0.7, 0.6, 0.4, 0.9, 0.7, 0.5, 0.8, 0.8, 0.6, 0.9];
const CAUSAL = [
  ...[0.3, 0.2, 0.8, 0.4034627166, 0.2517313583, 0.8517313583, 0.3342355845, 0.2003885837, 0.8003885837],
  ...[0.3999600853, 0.2496864099, 0.8245495722, 0.4641453329, 0.3030010433, 0.8205716543, 0.5189494947, 0.3516035286, 0.8350668199],
];

/** More keys than one block. */
const STEEP_KEYS = 530;
/** Scores 0, −3, −10, −40 and far below, in two blocks: (e⁻³ + 1000 e⁻¹⁰ + 10¹⁵ e⁻⁴⁰) / (1 + e⁻³ + e⁻¹⁰ + e⁻⁴⁰). */
const STEEP = 0.0947154478;
/** Negated scores: the last key outweighs all others. */
const LOOKUP = 42;

/** Returns the first failure of the kernels, or undefined. */
export function selfTest(runtime: Runtime): string | undefined {
  const tensor = (data: Float32Array, channels: number) => ({ data, dims: [data.length / channels, channels] });
  const [q, k, v] = [tensor(new Float32Array(Q), 3), tensor(new Float32Array(K), 3), tensor(new Float32Array(V), 3)];
  const causal = scaledDotProductAttention(runtime, q, k, v, { causal: true }).data;
  for (const [index, value] of CAUSAL.entries()) {
    if (!(Math.abs(causal[index]! - value) <= TOLERANCE)) return "causal attention gave wrong numbers";
  }

  const keys = new Float32Array(STEEP_KEYS).fill(-100);
  const values = new Float32Array(STEEP_KEYS);
  keys.set([0, -3, -10]);
  values.set([0, 1, 1000]);
  keys.set([-40, -1000], STEEP_KEYS - 2);
  values.set([1e15, LOOKUP], STEEP_KEYS - 2);
  const signs = tensor(Float32Array.of(1, -1), 1);
  const [steep, lookup] = scaledDotProductAttention(runtime, signs, tensor(keys, 1), tensor(values, 1), { scale: 1 }).data;
  if (!(Math.abs(steep! - STEEP) <= TOLERANCE)) return "a steep softmax gave wrong numbers";
  if (lookup !== LOOKUP) return `a lookup among ${STEEP_KEYS} keys missed`;
  return undefined;
}
