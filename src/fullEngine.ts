/** An engine with every operation: those of `Engine`, and what models need around attention. */
import { Engine } from "./engine.js";
import { linearAttention } from "./ops/linearAttention.js";
import type { LinearOptions } from "./ops/linearCall.js";
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
  linearAttention<Out extends Float32Tensor = ResultTensor>(
    q: TensorLike,
    k: TensorLike,
    v: TensorLike,
    options: LinearOptions<Out> = {},
  ): Out {
    return linearAttention(this.runtime, q, k, v, options);
  }
}
