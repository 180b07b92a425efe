/** Linear attention: validate → place → run → hand back. */
import {
  LINEAR_SEQUENCE_PARAMS_BYTES,
  type LinearParams,
  writeLinearParams,
  writeLinearSequenceParams,
} from "../runtime/fullAbi.generated.js";
import { Call } from "../call/call.js";
import { NO_STRIDES, stridesOf } from "../call/layout.js";
import { handBack, type Operand } from "../call/operand.js";
import { prepare } from "../call/launch.js";
import type { Operation } from "../call/operation.js";
import { wholeLines } from "../runtime/arena.js";
import { STRIP_ROWS } from "../runtime/builds.js";
import { PANEL } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";
import type { PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { LINEAR_OPTIONS, type LinearCall, readLinearCall, type LinearOptions } from "./linearCall.js";
import type { StateSizes } from "./linearShape.js";
import type { LinearRows } from "./linearSequences.js";
import { isDelta, LINEAR_NAMES, type LinearConfig, readLinearConfig } from "./linearConfig.js";
import { projectionsOf } from "./randomFeatures.js";

export const LINEAR_ATTENTION: Operation = {
  name: "linearAttention",
  options: LINEAR_OPTIONS,
  foreign: LINEAR_NAMES,
  places: ["out"],
};

/**
 * Keys folded at once when every row sees all keys. Granite Rapids, relaxed, 12 × 16384 × 64: 48, 96 and 192 keys take 100, 102
 * and 97 ms.
 */
const FULL_CHUNK = 192;

/** The address of the heads' states, and how many keys each sequence's open chunk has. */
export interface PlacedStates {
  readonly ptr: number;
  readonly openKeys: readonly number[];
  /** Whether a call is writing them; still true after a call that failed while it wrote. */
  isBeingWritten: boolean;
}

/**
 * See `Engine.linearAttention`.
 * @internal
 */
export function linearAttention<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options: LinearOptions<Out> = {},
): Out {
  const [call, given] = Call.of(runtime, LINEAR_ATTENTION, options);
  const config = readLinearConfig(call.operation, given, given.causal, false);
  return attendLinear(readLinearCall(call, { q, k, v }, given, config, undefined), undefined) as Out;
}

/**
 * Computes a call that has been read, on states or without, and returns its output.
 * @internal
 */
export function attendLinear(linear: LinearCall, states: PlacedStates | undefined): PlaceTensor {
  const { call, shape, returned } = linear;
  const out = call.result(linear.out, shape.outDims);
  if (shape.batchSize > 0 && shape.seqLen > 0) run(linear, out, states);
  return handBack(returned, out);
}

/** Multiply-adds, roughly. */
function workOf({ shape, config }: LinearCall): number {
  const { batchSize, seqLen, kvLen, numHeads, numKvHeads, headDim, featureDim, valueDim } = shape;
  const numOutHeads = Math.max(numHeads, numKvHeads);
  const inChunk = config.isCausal ? (config.chunkSize / 2) * (featureDim + valueDim) : 0;
  const ofMap = config.features === undefined ? 0 : featureDim * headDim;
  const perKey = featureDim * valueDim + ofMap;
  return batchSize * (numOutHeads * seqLen * (perKey + inChunk) + numKvHeads * kvLen * perKey);
}

function run(linear: LinearCall, out: Operand, states: PlacedStates | undefined): void {
  const { call, config, shape, inputs } = linear;
  const { numKvHeads, headDim, valueDim } = shape;
  const work = workOf(linear);
  const heads = linear.sequences.length * numKvHeads;
  const mayCut = !states && !(out.tensor && out.ptr === inputs.q.ptr); // a range must not overwrite q while others read it
  const threads = call.runtime.threadsFor(work);
  const job = {
    kernel: "linearAttention" as const,
    work,
    columnRanges: mayCut ? Math.min(Math.ceil(valueDim / PANEL), Math.ceil(threads / heads)) : 1,
    chunkSize: config.isCausal ? config.chunkSize : FULL_CHUNK,
    sequences: linear.sequences,
    projections: projectionsOf(call, config, numKvHeads, headDim),
  };
  runKernel(call, job, states, (own) => paramsOf(linear, out, own));
}

interface LinearJob {
  readonly kernel: "linearAttention" | "readSums";
  readonly work: number;
  readonly columnRanges: number;
  readonly chunkSize: number;
  readonly sequences: readonly LinearRows[];
  readonly projections: Float32Array | undefined;
}

/** @param params  called when the operands have their addresses */
function runKernel(
  call: Call,
  { kernel, work, columnRanges, chunkSize, sequences, projections }: LinearJob,
  states: PlacedStates | undefined,
  params: (own: OwnParams) => LinearParams,
): void {
  const { runtime, operation } = call;
  const { memory, jobPtr } = runtime;
  const sequencesBytes = wholeLines(LINEAR_SEQUENCE_PARAMS_BYTES * sequences.length);
  const projectionBytes = wholeLines(projections?.byteLength ?? 0);
  call.onScratch(sequencesBytes + projectionBytes, (sequencesPtr) => {
    const projectionsPtr = sequencesPtr + sequencesBytes;
    for (const [index, sequence] of sequences.entries()) {
      const ptr = sequencesPtr + index * LINEAR_SEQUENCE_PARAMS_BYTES;
      writeLinearSequenceParams(memory, ptr, { ...sequence, openKeys: states?.openKeys[index] ?? 0 });
    }
    if (projections) memory.f32.set(projections, projectionsPtr >>> 2);
    const own: OwnParams = {
      projections: projections ? projectionsPtr : 0,
      states: states?.ptr ?? 0,
      sequences: sequencesPtr,
      chunkSize,
      columnRanges,
      stripRows: STRIP_ROWS[runtime.build],
    };
    writeLinearParams(memory, jobPtr, params(own));
    const jobs = prepare(call, [kernel], work);
    if (states) states.isBeingWritten = true;
    for (const each of jobs) runtime.run(operation, each);
  });
  if (states) states.isBeingWritten = false;
}

/**
 * S of each head, including the keys of the open chunk.
 * @internal
 */
export function readSums(call: Call, config: LinearConfig, sizes: StateSizes, states: PlacedStates): ResultTensor {
  const { batchSize, numKvHeads, numKeyHeads, headDim, featureDim, valueDim, decayDim } = sizes;
  const outDims = [batchSize, numKvHeads, featureDim, valueDim];
  const out = call.result(undefined, outDims);
  const sequences = Array.from({ length: batchSize }, (_, batch) => ({ batch, start: 0, rows: 0, keyLength: 0 }));
  const { chunkSize } = config;
  const kernel = "readSums";
  const job: LinearJob = { kernel, work: out.count * chunkSize, columnRanges: 1, chunkSize, sequences, projections: undefined };
  // The kernel reads nothing of rows, keys and values: there are none.
  const linear: LinearCall = {
    ...{ call, config, layout: "bhsd", decayDim, maskBatchStride: 0, sequences, out, returned: undefined },
    shape: {
      batchSize,
      seqLen: 0,
      kvLen: 0,
      numHeads: numKvHeads,
      numKeyHeads,
      numKvHeads,
      headDim,
      featureDim,
      valueDim,
      outDims,
    },
    inputs: { q: out, k: out, v: out, decay: undefined, beta: undefined, keyMask: undefined },
    strides: { decay: NO_STRIDES, beta: NO_STRIDES },
  };
  runKernel(call, job, states, (own) => paramsOf(linear, out, own));
  return handBack<ResultTensor>(undefined, out);
}

type OwnParams = Pick<LinearParams, "projections" | "states" | "sequences" | "chunkSize" | "columnRanges" | "stripRows">;

/** The struct of a call; all operands have their addresses. One literal: spreading an object of so many fields costs 10 µs. */
function paramsOf(call: LinearCall, out: Operand, own: OwnParams): LinearParams {
  const { config, shape, inputs, layout, strides } = call;
  const { numHeads, numKeyHeads, numKvHeads, headDim, featureDim, valueDim } = shape;
  const qStrides = stridesOf(inputs.q, layout, headDim);
  const kStrides = stridesOf(inputs.k, layout, headDim);
  const vStrides = stridesOf(inputs.v, layout, valueDim);
  const outStrides = stridesOf(out, layout, valueDim);
  return {
    q: inputs.q.ptr,
    k: inputs.k.ptr,
    v: inputs.v.ptr,
    out: out.ptr,
    mask: inputs.keyMask?.ptr ?? 0,
    decay: inputs.decay?.ptr ?? 0,
    beta: inputs.beta?.ptr ?? 0,
    projections: own.projections,
    states: own.states,
    sequences: own.sequences,
    numSequences: call.sequences.length,
    featureMap: config.map,
    causal: config.isCausal ? 1 : 0,
    isNormalized: config.isNormalized ? 1 : 0,
    isDelta: isDelta(config.rule) ? 1 : 0,
    decayDim: call.decayDim,
    eps: config.eps,
    scale: config.scale ?? 1 / Math.sqrt(headDim),
    numHeads,
    numKeyHeads,
    numKvHeads,
    headDim,
    featureDim,
    valueDim,
    chunkSize: own.chunkSize,
    columnRanges: own.columnRanges,
    stripRows: own.stripRows,
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
    maskBatchStride: call.maskBatchStride,
    decayRowStride: strides.decay.row,
    decayHeadStride: strides.decay.head,
    decayBatchStride: strides.decay.batch,
    betaRowStride: strides.beta.row,
    betaHeadStride: strides.beta.head,
    betaBatchStride: strides.beta.batch,
  };
}
