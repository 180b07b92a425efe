/** Scaled dot-product attention: validate → place → run → hand back. */
import { onScratch, scratchBytes } from "../call/scratch.js";
import { Call } from "../call/call.js";
import { ATTENTION_NAMES } from "./foreignNames.js";
import { ATTENTION_OPTIONS, ATTENTION_PLACES, type AttentionOptions } from "./options.js";
import { NO_STRIDES, type Strides, stridesOf } from "../call/layout.js";
import { handBack, newResult, type Operand, scratchTensor } from "../call/operand.js";
import { runWritten } from "../call/launch.js";
import type { Operation } from "../call/operation.js";
import { wholeLines } from "../runtime/arena.js";
import { STRIP_ROWS } from "../runtime/builds.js";
import {
  type AttentionParams,
  PANEL,
  SEQUENCE_PARAMS_BYTES,
  type SharedKernel,
  writeAttentionParams,
  writeSequenceParams,
} from "../runtime/abi.generated.js";
import { unitsOf, workspaceBytesOf } from "../runtime/kernels.js";
import type { Runtime } from "../runtime/runtime.js";
import { countOf, type PlaceTensor, type ResultTensor, type TensorLike } from "../call/tensor.js";
import { type AttentionCall, type AttentionPlan, readAttention } from "./attentionCall.js";

export const SCALED_DOT_PRODUCT_ATTENTION: Operation = {
  name: "scaledDotProductAttention",
  options: ATTENTION_OPTIONS,
  foreign: ATTENTION_NAMES,
  places: ATTENTION_PLACES,
};

export const PLAN_ATTENTION: Operation = { ...SCALED_DOT_PRODUCT_ATTENTION, name: "planAttention" };

/** See `Engine.scaledDotProductAttention`. */
export function scaledDotProductAttention<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options: AttentionOptions<Out> = {},
): Out {
  const [call, given] = Call.of(runtime, SCALED_DOT_PRODUCT_ATTENTION, options);
  return attend(readAttention(call, q, { k, v }, given)) as Out;
}

/** See `Engine.planAttention`. */
export function planAttention(
  runtime: Runtime,
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options: AttentionOptions<PlaceTensor> = {},
): AttentionPlan {
  const [call, given] = Call.of(runtime, PLAN_ATTENTION, options);
  const attention = readAttention(call, q, { k, v }, given);
  if (isEmpty(attention)) return { threads: 1, scratchBytes: 0 };
  const outBytes = attention.results.out ? 0 : wholeLines(4 * countOf(attention.shape.outDims));
  return planOf(attention, scratchBytes(attention.given) + outBytes);
}

/** Computes a call that has been read, and returns its output. */
export function attend(attention: AttentionCall): PlaceTensor {
  const { call, results, shape, returned } = attention;
  const out = results.out ?? newResult(call, shape.outDims);
  attendTo(attention, out);
  return handBack(returned, out);
}

/** Computes a call that has been read; writes its output to `out`. */
export function attendTo(attention: AttentionCall, out: Operand): void {
  if (isEmpty(attention)) clearSums(attention);
  else run(attention, out);
}

/** Results of a call without queries: what keys receive is 0. */
export function clearSums({ call, extras }: AttentionCall): void {
  const results = extras.flatMap(({ operands }) => operands.filter(({ isResult, count }) => isResult && count > 0));
  if (results.length === 0) return;
  onScratch(call, results, 0, () => {
    for (const { ptr, count } of results) call.runtime.memory.f32.fill(0, ptr >>> 2, (ptr >>> 2) + count);
  });
}

/** Whether it has no queries, and so no results but sums over none. */
const isEmpty = ({ shape }: AttentionCall): boolean => shape.batchSize === 0 || shape.seqLen === 0;

/** Bytes of the structs of the sequences, of those with the addresses of the blocks of a cache, and of those with what extras compute. */
function ownBytesOf({ sequences, cache, shape, extras }: AttentionCall) {
  const structs = wholeLines(SEQUENCE_PARAMS_BYTES * sequences.length);
  const withBlocks = structs + (cache ? wholeLines(4 * shape.batchSize * cache.blocksPerSequence) : 0);
  return { structs, withBlocks, all: extras.reduce((sum, { bytes = 0 }) => sum + wholeLines(bytes), withBlocks) };
}

/** Writes the struct of the call, and the data that it points to from `ptr` on; returns its fields. */
function write(attention: AttentionCall, out: Operand, ptr: number): AttentionParams {
  const { memory, jobPtr } = attention.call.runtime;
  let sequencePtr = ptr;
  for (const sequence of attention.sequences) {
    writeSequenceParams(memory, sequencePtr, sequence);
    sequencePtr += SEQUENCE_PARAMS_BYTES;
  }
  const { structs, withBlocks } = ownBytesOf(attention);
  const blocks = attention.cache ? ptr + structs : 0;
  attention.cache?.writeBlocks(memory.i32, blocks >>> 2);
  const params = paramsOf(attention, out, ptr, blocks, ptr + withBlocks);
  writeAttentionParams(memory, jobPtr, params);
  return params;
}

/** How a call is cut into units. Sizes in bytes. */
interface Cut {
  readonly passes: readonly SharedKernel[];
  readonly columnRanges: number;
  readonly sharedScoresBytes: number;
}
const WHOLE: Cut = { passes: ["attention"], columnRanges: 1, sharedScoresBytes: 0 };

/** How the call whose struct is written is cut: if there are fewer strips than threads, they are split where possible. */
function cutOf({ call, cache, results, shape, extras }: AttentionCall, work: number): Cut {
  const { runtime } = call;
  const { kernels, jobPtr } = runtime;
  const threads = runtime.threadsFor(work);
  if (threads === 1 || !cache || cache.blocksPerSequence < 2 || results.weights || results.scores) return WHOLE;
  if (extras.some(({ isWhole }) => isWhole)) return WHOLE;
  const strips = unitsOf(kernels, "attention", jobPtr);
  if (strips >= threads) return WHOLE;
  const sharedScoresBytes = kernels.sharedScoresBytes(jobPtr);
  const workspaceBytes = wholeLines(workspaceBytesOf(kernels, "splitScores", jobPtr));
  if (runtime.arena.room - sharedScoresBytes < 2 * workspaceBytes) return WHOLE;
  const columnRanges = Math.min(Math.ceil(shape.valueDim / PANEL), Math.ceil(threads / strips));
  return { passes: ["splitScores", "splitValues"], columnRanges, sharedScoresBytes };
}

/** Places the operands in scratch, runs the kernels and copies the results out. */
function run(attention: AttentionCall, out: Operand): void {
  const { call, given, extras } = attention;
  const { memory, arena, jobPtr } = call.runtime;
  const operands = given.includes(out) ? given : [...given, out];
  const { withBlocks, all } = ownBytesOf(attention);
  onScratch(call, operands, all, (ptr) => {
    let extraPtr = ptr + withBlocks;
    for (const extra of extras) {
      extra.prepare?.(extraPtr);
      extraPtr += wholeLines(extra.bytes ?? 0);
    }
    const params = write(attention, out, ptr);
    const work = workOf(attention);
    const { passes, columnRanges, sharedScoresBytes } = cutOf(attention, work);
    if (sharedScoresBytes > 0) {
      const sharedScores = arena.extendScratch(call.operation, sharedScoresBytes);
      writeAttentionParams(memory, jobPtr, { ...params, sharedScores, columnRanges });
    }
    runWritten(call, passes, work);
  });
}

/** Resources of a call without a cache, with `otherBytes` of operands. Strips are counted sequence by sequence, without scratch. */
function planOf(attention: AttentionCall, otherBytes: number): AttentionPlan {
  const { runtime } = attention.call;
  const { kernels, memory, jobPtr, besidePtr } = runtime;
  for (const operand of attention.given) if (operand.isOutside) operand.ptr = besidePtr; // kernels see which are there
  writeAttentionParams(memory, jobPtr, {
    ...paramsOf(attention, scratchTensor("out", attention.shape.outDims), besidePtr, 0, 0),
    numSequences: 1,
  });
  let units = 0;
  for (const sequence of attention.sequences) {
    writeSequenceParams(memory, besidePtr, sequence);
    units += unitsOf(kernels, "attention", jobPtr);
  }
  if (attention.extras.some(({ isByHead }) => isByHead)) units = attention.shape.batchSize * attention.shape.numKvHeads;
  const workspaceBytes = wholeLines(workspaceBytesOf(kernels, "attention", jobPtr));
  const bytes = otherBytes + ownBytesOf(attention).all;
  const threads = runtime.threadsWithin(runtime.threadsFor(workOf(attention)), units, workspaceBytes, bytes);
  return { threads, scratchBytes: bytes + threads * workspaceBytes };
}

/** Keys of the longest sequence. */
function maxKvLenOf({ sequences }: AttentionCall): number {
  let longest = 0;
  for (const { extraEnd } of sequences) longest = Math.max(longest, extraEnd);
  return longest;
}

/** Multiply-adds in the time of reading one element of a key or a value. */
const READ_WORK = 4;

/** Multiply-adds of the call, roughly: lengths, a window and the causal mask are counted, masks are not. */
function workOf({ sequences, shape: { numHeads, numKvHeads, headDim, valueDim }, numbers, extras }: AttentionCall): number {
  const { causal, windowLeft, windowRight, sinkTokens } = numbers;
  const most = extras.reduce((least, { mostKeys = least }) => Math.min(least, mostKeys), Infinity);
  let pairs = 0;
  for (const { queryLength, keyLength } of sequences) {
    const left = windowLeft < 0 ? keyLength : windowLeft;
    const right = causal ? 0 : windowRight < 0 ? keyLength : windowRight;
    const reach = causal ? keyLength - Math.min(queryLength, keyLength) / 2 : keyLength;
    const rows = Math.max(READ_WORK, (queryLength * numHeads) / numKvHeads); // rows that share a key
    pairs += rows * Math.min(reach, left + right + 1 + sinkTokens, most);
  }
  return numKvHeads * pairs * extras.reduce((sum, { workOfPair = 0 }) => sum + workOfPair, headDim + valueDim);
}

/** The struct of the call; all operands have their places, and what extras compute lies from `extraPtr` on. */
function paramsOf(attention: AttentionCall, out: Operand, sequences: number, blocks: number, extraPtr: number): AttentionParams {
  const { cache, inputs, results, shape, strides, numbers, layout } = attention;
  const { seqLen, kvLen, numHeads, numKvHeads, headDim, keyDim, valueDim } = shape;
  const stridesIn = (operand: Operand | undefined, channels: number): Strides =>
    operand ? stridesOf(operand, layout, channels) : NO_STRIDES;
  const qStrides = stridesIn(inputs.q, headDim);
  const kStrides = stridesIn(inputs.k, keyDim);
  const vStrides = stridesIn(inputs.v, valueDim);
  const outStrides = stridesIn(out, valueDim);
  const params: AttentionParams = {
    q: inputs.q.ptr,
    k: inputs.k?.ptr ?? 0,
    v: inputs.v?.ptr ?? 0,
    out: out.ptr,
    mask: inputs.mask?.ptr ?? 0,
    bias: inputs.bias?.ptr ?? 0,
    keyMask: inputs.keyMask?.ptr ?? 0,
    sinks: inputs.sinks?.ptr ?? 0,
    scales: inputs.scales?.ptr ?? 0,
    logSumExp: results.logSumExp?.ptr ?? 0,
    weights: results.weights?.ptr ?? 0,
    scores: results.scores?.ptr ?? 0,
    sequences,
    numSequences: attention.sequences.length,
    blocks,
    isInt8: cache?.isInt8 ? 1 : 0,
    seqLen,
    kvLen,
    maxKvLen: maxKvLenOf(attention),
    numHeads,
    numKvHeads,
    headDim,
    valueDim,
    qRowStride: qStrides.row,
    qHeadStride: qStrides.head,
    qBatchStride: qStrides.batch,
    kRowStride: kStrides.row,
    kHeadStride: kStrides.head,
    kBatchStride: kStrides.batch,
    vRowStride: vStrides.row,
    vHeadStride: vStrides.head,
    vBatchStride: vStrides.batch,
    outRowStride: outStrides.row,
    outHeadStride: outStrides.head,
    outBatchStride: outStrides.batch,
    maskKeyStride: strides.mask?.key ?? 0,
    maskRowStride: strides.mask?.row ?? 0,
    maskHeadStride: strides.mask?.head ?? 0,
    maskBatchStride: strides.mask?.batch ?? 0,
    keyMaskBatchStride: inputs.keyMask?.dims.at(-1) ?? 0,
    biasKeyStride: strides.bias?.key ?? 0,
    biasRowStride: strides.bias?.row ?? 0,
    biasHeadStride: strides.bias?.head ?? 0,
    biasBatchStride: strides.bias?.batch ?? 0,
    scale: numbers.scale,
    softcap: numbers.softcap,
    causal: numbers.causal,
    windowLeft: numbers.windowLeft,
    windowRight: numbers.windowRight,
    sinkTokens: numbers.sinkTokens,
    scoresStage: numbers.scoresStage,
    stripRows: STRIP_ROWS[attention.call.runtime.build],
    sharedScores: 0,
    columnRanges: 1,
    // what extras set; written out, because small calls notice a spread
    score: 0,
    scoreVector: 0,
    scoreVectorHeadStride: 0,
    scoreActivation: 0,
    alibiSlopes: 0,
    alibiBatchStride: 0,
    relativeBias: 0,
    relativeBiasHeadStride: 0,
    biasDistances: 0,
    biasZero: 0,
    relativeKeys: 0,
    relativeKeysRowStride: 0,
    relativeKeysHeadStride: 0,
    keyDistances: 0,
    keyZero: 0,
    contentBias: 0,
    positionBias: 0,
    topKeys: 0,
    topWeights: 0,
    numTopKeys: 0,
    entropy: 0,
    largestWeight: 0,
    keyWeights: 0,
    weightsFirstHead: 0,
    weightsFirstRow: 0,
    choice: 0,
    keptKeys: 0,
    seed: 0,
    picks: 0,
    halfWidth: 0,
    centers: 0,
    predictsCenters: 0,
    gaussian: 0,
    weightsHeads: numHeads,
    weightsRows: seqLen,
  };
  for (const extra of attention.extras) {
    Object.assign(params, extra.fields(extraPtr));
    extraPtr += wholeLines(extra.bytes ?? 0);
  }
  return params;
}
