/// <reference lib="esnext.disposable" preserve="true" />
/** An engine with every operation: those of `Engine`, and what models need around attention. */
import { Engine } from "./engine.js";
import { LinearAttentionState } from "./layers/linearAttentionState.js";
import type { LinearAttentionStateOptions } from "./layers/linearStateConfig.js";
import { linearAttention } from "./ops/linearAttention.js";
import type { LinearOptions } from "./ops/linearCall.js";
import { isAbsent } from "./ops/sequences.js";
import type { Float32Tensor, ResultTensor, TensorLike } from "./tensor.js";

/**
 * Attention, and what models need around it; made by `createEngine({ operations: "all" })` or `createEngineSync`. A module of its own,
 * so that who needs attention alone does not download it.
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine({ operations: "all" });
 * console.log(engine.info.build); // relaxed or simd
 * engine.dispose();
 */
export class FullEngine extends Engine {
  /**
   * Linear attention: a feature map φ in place of the exponential of q·k, so that keys and values leave a state of fixed size, and time
   * and memory are linear in the length (Katharopoulos et al. 2020, arXiv:2006.16236).
   *
   *     out_i = φ(q_i)ᵀS / (φ(q_i)ᵀz + eps) ,   S = Σ_j φ(k_j) v_jᵀ ,   z = Σ_j φ(k_j)          causal: over j ≤ i
   *
   * With `rule`, the recurrent family: linear, gated (RetNet, GLA, Mamba-2), delta (DeltaNet) and gated delta, as the operator
   * LinearAttention of ONNX has them, computed in chunks (Yang et al. 2024, arXiv:2406.06484).
   *
   *     S ← diag(exp(decay_t)) S          u = v_t, or β_t (v_t − Sᵀk_t)          S ← S + k_t uᵀ          out_t = scale · Sᵀq_t
   *
   * @param q  [batch, seqLen, numHeads, headDim], or [batch, numHeads, seqLen, headDim] with layout "bhsd", or [seqLen, headDim]
   * @param k  [batch, kvLen, numKeyHeads, headDim] in the same layout
   * @param v  [batch, kvLen, numKvHeads, valueDim] in the same layout; numKvHeads is a multiple of numKeyHeads, and a divisor or a
   *           multiple of numHeads
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, max(numHeads, numKvHeads), valueDim] in
   *   the same layout
   * @throws {TypeError} the wrong kind of value, an unknown option, or options that don't go together
   * @throws {RangeError} sizes or values that don't fit, results that overlap operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine({ operations: "all" });
   * const dims = [1, 2048, 8, 64]; // batch, seq, heads, headDim
   * const random = () => ({ data: Float32Array.from({ length: 2048 * 8 * 64 }, () => Math.random()), dims });
   * const out = engine.linearAttention(random(), random(), random(), { causal: true });
   * console.log(out.dims); // [1, 2048, 8, 64]
   * engine.dispose();
   */
  linearAttention<Out extends Float32Tensor = ResultTensor>(
    q: TensorLike,
    k: TensorLike,
    v: TensorLike,
    options: LinearOptions<Out> = {},
  ): Out {
    const state = (options as { state?: unknown } | null)?.state;
    return isAbsent(state)
      ? linearAttention(this.runtime, q, k, v, options)
      : LinearAttentionState.attend(this.runtime, q, k, v, options, state);
  }

  /**
   * An empty state of linear attention in the engine's memory, for tokens that come bit by bit.
   *
   * @throws {TypeError} the wrong kind of value, an unknown option, or options that don't go together
   * @throws {RangeError} values that don't fit, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine({ operations: "all" });
   * const state = engine.createLinearAttentionState({ numKvHeads: 8, headDim: 64, rule: "gated_delta" });
   * console.log(state.length); // 0
   * engine.dispose();
   */
  createLinearAttentionState(options: LinearAttentionStateOptions): LinearAttentionState {
    return LinearAttentionState.create(this.runtime, options);
  }
}
