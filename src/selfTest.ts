/**
 * A few known answers, asked of the kernels at creation: whether this host computes what it validated.
 * Small, as it delays the first result: under 3 ms in all.
 */
import { scaledDotProductAttention } from "./ops/scaledDotProductAttention.js";
import type { Runtime } from "./runtime/runtime.js";

const TOLERANCE = 1e-6;
/** More than a block. */
const LOOKUP_KEYS = 530;

// Six tokens, headDim 3: softmax(q·kᵀ / √3) · v, computed in float64.
const Q = [0.2, 0.5, 0.1, 0.4, 0.6, 0.2, 0.1, 0.3, 0.2, 0.3, 0.4, 0.1, 0.5, 0.2, 0.3, 0.3, 0.1, 0.5];
const K = [0.1, 0.3, 0.6, 0.2, 0.4, 0.7, 0.3, 0.5, 0.4, 0.4, 0.3, 0.5, 0.6, 0.4, 0.2, 0.4, 0.2, 0.6];
const V = [0.3, 0.2, 0.8, 0.5, 0.3, 0.9, 0.2, 0.1, 0.7, 0.6, 0.4, 0.9, 0.7, 0.5, 0.8, 0.8, 0.6, 0.9];
const FULL = [
  ...[0.5154764277, 0.3487859578, 0.8323267244, 0.5171650107, 0.3500674371, 0.8324766472],
  ...[0.5154294214, 0.3487940151, 0.8332708124, 0.5175125889, 0.3504703959, 0.8326452721],
  ...[0.521186615, 0.3534431033, 0.8340616996, 0.5189494947, 0.3516035286, 0.8350668199],
];
const CAUSAL = [
  ...[0.3, 0.2, 0.8, 0.4034627166, 0.2517313583, 0.8517313583, 0.3342355845, 0.2003885837, 0.8003885837],
  ...[0.3999600853, 0.2496864099, 0.8245495722, 0.4641453329, 0.3030010433, 0.8205716543, 0.5189494947, 0.3516035286, 0.8350668199],
];

/** What is wrong with the kernels, or undefined. */
export function selfTest(runtime: Runtime): string | undefined {
  const tensor = (numbers: readonly number[], channels = 3) => ({
    data: Float32Array.from(numbers),
    dims: [numbers.length / channels, channels],
  });
  const q = tensor(Q);
  const k = tensor(K);
  const v = tensor(V);
  const near = (found: Float32Array, expected: readonly number[]): boolean =>
    expected.every((value, index) => Math.abs(found[index]! - value) <= TOLERANCE);

  if (!near(scaledDotProductAttention(runtime, q, k, v).data, FULL)) return "full attention gave wrong numbers";
  if (!near(scaledDotProductAttention(runtime, q, k, v, { causal: true }).data, CAUSAL))
    return "causal attention gave wrong numbers";

  // Scores 0, −3, −10 and −40: the whole range of the exponential.
  const steep = scaledDotProductAttention(runtime, tensor([1], 1), tensor([0, -3, -10, -40], 1), tensor([0, 1, 1000, 1e15], 1), {
    scale: 1,
  });
  if (!near(steep.data, [0.0947154478])) return "a steep softmax gave wrong numbers";

  // A query that finds its key beyond the border of a block: a large score picks one value exactly.
  const keys = { data: new Float32Array(LOOKUP_KEYS).fill(-1), dims: [LOOKUP_KEYS, 1] };
  const values = { data: new Float32Array(LOOKUP_KEYS), dims: [LOOKUP_KEYS, 1] };
  keys.data[LOOKUP_KEYS - 2] = 1;
  values.data[LOOKUP_KEYS - 2] = 42;
  const found = scaledDotProductAttention(runtime, tensor([100], 1), keys, values).data[0];
  return found === 42 ? undefined : `a lookup among ${LOOKUP_KEYS} keys missed`;
}
