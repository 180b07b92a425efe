/** The activation functions that operations offer. */
import { ACTIVATIONS } from "../runtime/abi.generated.js";

export { ACTIVATIONS };

/**
 * gelu: x · Φ(x) with the normal distribution's Φ, by the error function. gelu-tanh: its approximation by tanh (arXiv:1606.08415).
 * silu: x · σ(x) (arXiv:1702.03118), also called swish. relu: max(x, 0). sigmoid: σ(x) = 1 / (1 + e^−x).
 */
export type Activation = (typeof ACTIVATIONS)[number];
