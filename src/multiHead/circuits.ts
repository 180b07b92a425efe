/** The matrices by which a head acts on rows, its circuits. Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits". */
import type { Call } from "../call/call.js";
import { handBack, newResult, type Operand, ownArray } from "../call/operand.js";
import { onScratch } from "../call/scratch.js";
import type { ResultTensor } from "../call/tensor.js";
import { wrongValue } from "../check.js";
import { multiply } from "../product/multiply.js";
import type { MultiHeadParts } from "./forward.js";
import { channelsOf, kvHeadOf } from "./heads.js";

/** The circuits of a head, see `MultiHeadAttention.circuits`. */
export interface Circuits {
  /** W^Q_h W^K_h ᵀ [embedDim, kDim]: row i attends to row j by x_i queryKey key_jᵀ · scale. */
  readonly queryKey: ResultTensor;
  /** (W^V_h W^O_h)ᵀ [outDim, vDim]: what a value row adds to the output where it is attended to, as value_j outputValueᵀ. */
  readonly outputValue: ResultTensor;
}

/**
 * Refuses a layer whose scores are not products of rows with one matrix.
 * @internal
 */
export function assertBilinear(operation: string, { config }: MultiHeadParts): void {
  if (config.angles) {
    throw wrongValue(operation, 'this layer has "rotary", with which the matrix between two rows depends on their distance');
  }
  if (config.normEps !== undefined) {
    throw wrongValue(operation, 'this layer has "qkNorm", with which scores are not products of rows with one matrix');
  }
}

/**
 * The circuits of a head that exists.
 * @internal
 */
export function circuitsOf(call: Call, { config, q, k, v, out }: MultiHeadParts, head: number): Circuits {
  const { embedDim, kDim, vDim, outDim, headDim, valueDim } = config;
  const kvHead = kvHeadOf(config, head);
  const { operation } = call;
  const matrix = (name: string, { matrix, inDim, outDim }: ReturnType<typeof q.columnsAt>): Operand =>
    ownArray(name, matrix, false, [inDim, outDim]);
  const ofQ = matrix("W^Q", q.columnsAt(operation, channelsOf([head], headDim))); // [embedDim, headDim]
  const ofK = matrix("W^K", k.columnsAt(operation, channelsOf([kvHead], headDim))); // [kDim, headDim]
  const ofV = matrix("W^V", v.columnsAt(operation, channelsOf([kvHead], valueDim))); // [vDim, valueDim]
  const ofOut = matrix("W^O", out.rowsAt(operation, channelsOf([head], valueDim))); // [valueDim, outDim]
  const queryKey = newResult(call, [embedDim, kDim]);
  const outputValue = newResult(call, [outDim, vDim]);
  onScratch(call, [ofQ, ofK, ofV, ofOut, queryKey, outputValue], 0, () => {
    multiplyMatrices(call, { a: ofQ, b: ofK, out: queryKey, depth: headDim, isATransposed: false });
    multiplyMatrices(call, { a: ofOut, b: ofV, out: outputValue, depth: valueDim, isATransposed: true });
  });
  return { queryKey: handBack<ResultTensor>(undefined, queryKey), outputValue: handBack<ResultTensor>(undefined, outputValue) };
}

/** out = a bᵀ, or aᵀ bᵀ, with b [columns, depth]. */
function multiplyMatrices(
  call: Call,
  { a, b, out, depth, isATransposed }: Record<"a" | "b" | "out", Operand> & { depth: number; isATransposed: boolean },
): void {
  const [rows, columns] = out.dims as [number, number];
  multiply(call, {
    ...{ numEntries: 1, entryAt: () => ({ a: a.ptr, b: b.ptr, out: out.ptr }), bias: 0, rows, columns, depth },
    ...{ aRowStride: isATransposed ? rows : depth, bRowStride: depth, outRowStride: columns },
    ...{ isATransposed, isBTransposed: true, isPacked: false, accumulate: false, activation: undefined },
  });
}
