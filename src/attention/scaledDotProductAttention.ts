/** Scaled dot-product attention: validate → place → run → hand back. */
import { knownOptions } from "../check.js";
import { assertUnchanged, handBack, newResult, onScratch, type Operand, scratchBytes } from "../call/operand.js";
import { wholeLines } from "../runtime/arena.js";
import { STRIP_ROWS } from "../runtime/builds.js";
import { ATTENTION_PARAMS, type AttentionParams, SEQUENCE_BYTES, writeSequences, writeStruct } from "../runtime/params.js";
import { PANEL, type SharedKernel } from "../runtime/kernels.js";
import type { Runtime } from "../runtime/runtime.js";
import { stridesOf } from "./shape.js";
import { countOf, type Float32Tensor, type ResultTensor, type TensorLike } from "../call/tensor.js";
import { ATTENTION_OPTIONS, type AttentionCall, type AttentionOptions, type AttentionPlan, readCall } from "./attentionCall.js";

const OPERATION = "scaledDotProductAttention";

/** See `Engine.scaledDotProductAttention`. */
export function scaledDotProductAttention<Out extends Float32Tensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options: AttentionOptions<Out> = {},
): Out {
  knownOptions(OPERATION, options, ATTENTION_OPTIONS);
  return attend(runtime, readUnchanged(runtime, OPERATION, q, { k, v }, options)) as Out;
}

/** See `Engine.plan`. */
export function planAttention(
  runtime: Runtime,
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options: AttentionOptions = {},
): AttentionPlan {
  knownOptions(OPERATION, options, ATTENTION_OPTIONS);
  const call = readUnchanged(runtime, OPERATION, q, { k, v }, options);
  if (isEmpty(call)) return { threads: 1, scratchBytes: 0 };
  const outBytes = call.results.out ? 0 : wholeLines(4 * countOf(call.shape.outDims));
  const operandBytes = scratchBytes(call.given) + outBytes;
  const { threads, ownBytes } = placementOf(runtime, call, operandBytes);
  return { threads, scratchBytes: operandBytes + ownBytes };
}

/** Reads a call; nothing of the caller's runs afterwards. */
export function readUnchanged(runtime: Runtime, ...[operation, ...rest]: ReadArguments): AttentionCall {
  runtime.assertReady(operation);
  const call = readCall(runtime, operation, ...rest);
  assertUnchanged(runtime, operation, call.given);
  return call;
}
type ReadArguments = Parameters<typeof readCall> extends [Runtime, ...infer Rest] ? Rest : never;

/** Computes a call that has been read, and returns its output. */
export function attend(runtime: Runtime, call: AttentionCall): Float32Tensor {
  const out = call.results.out ?? newResult(runtime, call.operation, call.shape.outDims);
  attendTo(runtime, call, out);
  return handBack(call.returned, out);
}

/** Computes a call that has been read, its output to `out`. */
export function attendTo(runtime: Runtime, call: AttentionCall, out: Operand): void {
  if (!isEmpty(call)) run(runtime, call, out);
}

/** Whether it has no query, and so no result. */
const isEmpty = ({ shape }: AttentionCall): boolean => shape.batchSize === 0 || shape.seqLen === 0;

/** A kernel's share of a call, and the units in which threads take it. */
interface Pass {
  readonly kernel: SharedKernel;
  readonly units: number;
}

/** How a call is cut, and the scratch that it needs. */
interface Placement {
  readonly passes: readonly Pass[];
  /** Multiply-adds of a pass. */
  readonly work: number;
  readonly threads: number;
  readonly columnRanges: number;
  readonly sharedScoresBytes: number;
  readonly workspaceBytes: number;
  readonly sequencesBytes: number;
  /** Of the addresses of the blocks of a cache. */
  readonly blocksBytes: number;
  /** In all, beside the operands. */
  readonly ownBytes: number;
}

/**
 * @param operandBytes  scratch of the operands
 * @param isSplit       whether strips may be split where there are fewer than threads
 */
function placementOf(runtime: Runtime, call: AttentionCall, operandBytes: number, isSplit = true): Placement {
  const { shape, sequences, cache, results } = call;
  const strips = numStrips(runtime, call);
  const maxKvLen = maxKvLenOf(call);
  const work = workOf(call);
  const wantedThreads = runtime.threadsFor(work);
  if (!cache || cache.blocksPerSequence < 2 || results.weights || results.scores || strips >= wantedThreads) isSplit = false;
  const columnRanges = Math.min(Math.ceil(shape.valueDim / PANEL), Math.ceil(wantedThreads / strips));
  const passes: Pass[] = isSplit
    ? [
        { kernel: "splitScores", units: strips * cache!.blocksPerSequence },
        { kernel: "splitValues", units: strips * columnRanges },
      ]
    : [{ kernel: "attention", units: strips }];
  const sharedScoresBytes = isSplit ? runtime.kernels.sharedScoresBytes(strips, maxKvLen) : 0;
  const workspaceBytes = wholeLines(runtime.kernels.workspaceBytes(cache ? 0 : maxKvLen, shape.headDim, shape.valueDim));
  const sequencesBytes = wholeLines(SEQUENCE_BYTES * sequences.length);
  const blocksBytes = cache ? wholeLines(4 * shape.batchSize * cache.blocksPerSequence) : 0;
  const sharedBytes = sequencesBytes + blocksBytes + sharedScoresBytes;
  const room = runtime.arena.room - operandBytes - sharedBytes;
  const mostThreads = Math.floor(room / workspaceBytes); // each has a workspace of its own
  if (isSplit && mostThreads < 2) return placementOf(runtime, call, operandBytes, false);
  const mostUnits = Math.max(...passes.map(({ units }) => units));
  const threads = Math.max(1, Math.min(wantedThreads, mostUnits, mostThreads));
  return {
    passes,
    work: work / passes.length,
    threads,
    columnRanges,
    sharedScoresBytes,
    workspaceBytes,
    sequencesBytes,
    blocksBytes,
    ownBytes: sharedBytes + threads * workspaceBytes,
  };
}

/** Places the operands in scratch, runs the kernel and copies the results out. */
function run(runtime: Runtime, call: AttentionCall, out: Operand): void {
  const { memory, jobPtr } = runtime;
  const operands = call.given.includes(out) ? call.given : [...call.given, out];
  const placement = placementOf(runtime, call, scratchBytes(operands));
  const { passes, work, threads, workspaceBytes } = placement;
  onScratch(runtime, call.operation, operands, placement.ownBytes, (sequencesPtr) => {
    writeSequences(memory.i32, sequencesPtr >>> 2, call.sequences);
    const blocksPtr = sequencesPtr + placement.sequencesBytes;
    call.cache?.writeBlocks(memory.i32, blocksPtr >>> 2);
    const sharedScores = blocksPtr + placement.blocksBytes;
    const workspaces = sharedScores + placement.sharedScoresBytes;
    writeStruct(memory, jobPtr, ATTENTION_PARAMS, {
      ...paramsOf(runtime, call, out, sequencesPtr, call.cache ? blocksPtr : 0),
      sharedScores,
      columnRanges: placement.columnRanges,
    });
    for (const { kernel, units } of passes) {
      runtime.run(call.operation, { kernel, params: jobPtr, workspaces, workspaceBytes, units, work, threads });
    }
  });
}

/** Strips of the call, see `assembly/attention/stripOrder.ts`. */
function numStrips({ build }: Runtime, { sequences, shape: { numHeads, numKvHeads } }: AttentionCall): number {
  const groupSize = numHeads / numKvHeads;
  let strips = 0;
  for (const { queryRows } of sequences) strips += Math.ceil((queryRows * groupSize) / STRIP_ROWS[build]);
  return strips * numKvHeads;
}

/** Keys of the longest sequence. */
function maxKvLenOf({ sequences }: AttentionCall): number {
  let longest = 0;
  for (const { extraEnd } of sequences) longest = Math.max(longest, extraEnd);
  return longest;
}

/** Multiply-adds in the time that it takes to read one element of a key or a value. */
const READ_WORK = 4;

/** Multiply-adds of the call, roughly: lengths, a window and the causal mask are counted, masks are not. */
function workOf({ sequences, shape: { numHeads, numKvHeads, headDim, valueDim }, numbers }: AttentionCall): number {
  const { causal, windowLeft, windowRight, sinkTokens } = numbers;
  let pairs = 0;
  for (const { queryLength, keyLength } of sequences) {
    const left = windowLeft < 0 ? keyLength : windowLeft;
    const right = causal ? 0 : windowRight < 0 ? keyLength : windowRight;
    const reach = causal ? keyLength - Math.min(queryLength, keyLength) / 2 : keyLength;
    const rows = Math.max(READ_WORK, (queryLength * numHeads) / numKvHeads); // that share a key
    pairs += rows * Math.min(reach, left + right + 1 + sinkTokens);
  }
  return numKvHeads * pairs * (headDim + valueDim);
}

/** The struct of the call; all operands have their places. */
function paramsOf(
  runtime: Runtime,
  call: AttentionCall,
  out: Operand,
  sequences: number,
  blocks: number,
): Omit<AttentionParams, "sharedScores" | "columnRanges"> {
  const { cache, inputs, results, shape, strides, numbers, layout } = call;
  const { seqLen, kvLen, numHeads, numKvHeads, headDim, valueDim } = shape;
  const qStrides = stridesOf(layout, seqLen, numHeads, headDim);
  const kStrides = stridesOf(layout, kvLen, numKvHeads, headDim);
  const vStrides = stridesOf(layout, kvLen, numKvHeads, valueDim);
  const outStrides = stridesOf(layout, seqLen, numHeads, valueDim);
  return {
    q: inputs.q.ptr,
    k: inputs.k?.ptr ?? 0,
    v: inputs.v?.ptr ?? 0,
    out: out.ptr,
    mask: inputs.mask?.ptr ?? 0,
    bias: inputs.bias?.ptr ?? 0,
    sinks: inputs.sinks?.ptr ?? 0,
    logSumExp: results.logSumExp?.ptr ?? 0,
    weights: results.weights?.ptr ?? 0,
    scores: results.scores?.ptr ?? 0,
    sequences,
    blocks,
    isInt8: cache?.isInt8 ? 1 : 0,
    seqLen,
    kvLen,
    maxKvLen: maxKvLenOf(call),
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
    stripRows: STRIP_ROWS[runtime.build],
  };
}
