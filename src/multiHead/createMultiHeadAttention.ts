/** Makes multi-head layers: a function, with a second one as its property for parameters of PyTorch. */
import type { Runtime } from "../runtime/runtime.js";
import { MultiHeadAttention } from "./multiHeadAttention.js";
import type { MultiHeadAttentionConfig } from "./config.js";
import type { MultiHeadAttentionParameters } from "./parameters.js";
import type { FromTorchOptions, TorchStateDict } from "./torchStateDict.js";

/** See `Engine.createMultiHeadAttention`. */
export interface CreateMultiHeadAttention {
  (config: MultiHeadAttentionConfig, parameters: MultiHeadAttentionParameters): MultiHeadAttention;

  /**
   * The same layer as PyTorch's nn.MultiheadAttention, with the batch first, from its state dict: `in_proj_weight` or
   * `q_proj_weight`, `k_proj_weight` and `v_proj_weight`, `in_proj_bias`, `out_proj.weight`, `out_proj.bias`, `bias_k`, `bias_v`.
   *
   * Masks are inverted: where PyTorch's boolean `attn_mask` is true a key is hidden, where headwise's `mask` is not 0 it may be
   * seen; a float `attn_mask` is `bias`, and `key_padding_mask` a `mask` of [batch, 1, 1, kvLen].
   *
   * @throws {TypeError} the wrong kind of value, an unknown name, or a missing one
   * @throws {RangeError} sizes that don't fit, or not enough memory
   * @throws {Error} after `dispose` of the engine
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const stateDict = {
   *   "encoder.in_proj_weight": { data: new Float32Array(192).fill(0.1), dims: [24, 8] },
   *   "encoder.in_proj_bias": { data: new Float32Array(24), dims: [24] },
   *   "encoder.out_proj.weight": { data: new Float32Array(64).fill(0.1), dims: [8, 8] },
   *   "encoder.out_proj.bias": { data: new Float32Array(8).fill(3), dims: [8] },
   * };
   * const layer = engine.createMultiHeadAttention.fromTorch(stateDict, { numHeads: 2, prefix: "encoder." });
   * console.log(layer.forward({ data: new Float32Array(8), dims: [1, 8] }).data[0]); // 3
   * engine.dispose();
   */
  fromTorch(stateDict: TorchStateDict, options: FromTorchOptions): MultiHeadAttention;
}

/** @internal */
export const createMultiHeadAttention = (runtime: Runtime): CreateMultiHeadAttention =>
  Object.assign(
    (config: MultiHeadAttentionConfig, parameters: MultiHeadAttentionParameters) =>
      MultiHeadAttention.create(runtime, config, parameters),
    {
      fromTorch: (stateDict: TorchStateDict, options: FromTorchOptions) =>
        MultiHeadAttention.fromTorch(runtime, stateDict, options),
    },
  );
