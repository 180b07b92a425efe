/** Attention by a bilinear form: queries are multiplied by its matrix once, and then by the keys as always. */
import { MISPLACED_NAMES } from "../attention/foreignNames.js";
import { attendOn, type Keys, type Values } from "../cache/keysOrCache.js";
import { stridesOf } from "../call/layout.js";
import type { Operation } from "../call/operation.js";
import { readOptions } from "../call/readOptions.js";
import type { PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { isAbsent, show, wrongKind, wrongValue } from "../check.js";
import type { Runtime } from "../runtime/runtime.js";
import { expectHeadSizes, projectHeads } from "./headMatrices.js";
import { scoreOperation, type ScoreOptions } from "./scoreOptions.js";

/** Parameters of `bilinearAttention`. */
export interface BilinearParameters {
  /** U [qDim, kDim], or [numHeads, qDim, kDim]. */
  weight: TensorLike;
}

export const BILINEAR_ATTENTION = scoreOperation("bilinearAttention");
const PARAMETERS: Pick<Operation, "name" | "options" | "foreign"> = {
  name: BILINEAR_ATTENTION.name,
  options: ["weight"],
  foreign: MISPLACED_NAMES,
};

/**
 * See `Engine.bilinearAttention`.
 * @internal
 */
export function bilinearAttention<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: Keys,
  v: Values,
  parameters: BilinearParameters,
  options?: ScoreOptions<Out> | null,
): Out {
  return attendOn(runtime, BILINEAR_ATTENTION, q, k, v, options, (call) => {
    const { weight: given } = readOptions(PARAMETERS, parameters, "parameters");
    if (isAbsent(given)) throw wrongKind(call.operation, '"weight" is missing; it is U [qDim, kDim]');
    const weight = call.numbers("weight", given);
    if (weight.dims.length < 2) {
      const expected = "expected [qDim, kDim] or [numHeads, qDim, kDim]";
      throw wrongValue(call.operation, `"weight" has dims ${show(weight.dims)}, ${expected}`);
    }
    const keyDim = weight.dims.at(-1)!;
    return {
      keySize: { count: keyDim, why: `weight has dims ${show(weight.dims)}` },
      read: ({ q: query, shape: { batchSize, seqLen, numHeads, headDim }, layout }) => {
        expectHeadSizes(call, weight, numHeads, "numHeads", [headDim, keyDim], "qDim, kDim");
        const rows = { batchSize, rows: seqLen, heads: numHeads, channels: headDim };
        return {
          operands: [weight],
          scale: 1,
          bytes: 4 * batchSize * seqLen * numHeads * keyDim,
          prepare: (ptr) => {
            const strides = stridesOf(query, layout, headDim);
            projectHeads(call, { ...rows, ptr: query.ptr, strides }, weight, false, keyDim, undefined, ptr);
          },
          fields: (ptr) => ({
            q: ptr,
            qRowStride: numHeads * keyDim,
            qHeadStride: keyDim,
            qBatchStride: seqLen * numHeads * keyDim,
            headDim: keyDim,
          }),
        };
      },
    };
  });
}
