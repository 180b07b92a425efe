/** Linear attention: validate → place → run → hand back. */
import { knownOptions } from "../check.js";
import { handBack, newResult, onScratch, type Operand } from "../operand.js";
import { wholeLines } from "../runtime/arena.js";
import { STRIP_ROWS } from "../runtime/builds.js";
import { LINEAR_PARAMS, type LinearParams, writeStruct } from "../runtime/params.js";
import type { Runtime } from "../runtime/runtime.js";
import { stridesOf } from "../shape.js";
import type { Float32Tensor, ResultTensor, TensorLike } from "../tensor.js";
import { LINEAR_OPTIONS, type LinearCall, type LinearOptions, readLinearCall } from "./linearCall.js";
import { isDelta, readLinearConfig } from "./linearConfig.js";
import { projectionsOf } from "./randomFeatures.js";

const OPERATION = "linearAttention";

/** Keys that are folded at once where rows see all of them: whole panels, and few enough for L1. */
const FULL_CHUNK = 96;
/** Value columns in a panel. */
const PANEL = 8;

/** Where the states of heads lie, and how many keys each sequence's open chunk has. */
export interface PlacedStates {
  readonly ptr: number;
  readonly openKeys: readonly number[];
}

/**
 * See `FullEngine.linearAttention`, for calls without a state.
 * @internal
 */
export function linearAttention<Out extends Float32Tensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options: LinearOptions<Out> = {},
): Out {
  runtime.assertReady(OPERATION);
  knownOptions(OPERATION, options, LINEAR_OPTIONS);
  const config = readLinearConfig(OPERATION, options, options.causal, false);
  return attendLinear(runtime, readLinearCall(runtime, OPERATION, { q, k, v }, options, config, undefined), undefined) as Out;
}

/**
 * Computes a call that has been read, on states or without, and returns its output.
 * @internal
 */
export function attendLinear(runtime: Runtime, call: LinearCall, states: PlacedStates | undefined): Float32Tensor {
  const out = call.out ?? newResult(runtime, call.operation, call.shape.outDims);
  if (call.shape.batchSize > 0 && call.shape.seqLen > 0) run(runtime, call, out, states);
  return handBack(call.returned, out);
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

function run(runtime: Runtime, call: LinearCall, out: Operand, states: PlacedStates | undefined): void {
  const { memory, kernels, jobPtr } = runtime;
  const { operation, config, shape, inputs } = call;
  const { batchSize, numKvHeads, headDim, featureDim, valueDim } = shape;
  const chunkSize = config.isCausal ? config.chunkSize : FULL_CHUNK;
  const stripRows = STRIP_ROWS[runtime.build];
  const work = workOf(call);
  const threads = runtime.threadsFor(work);
  const heads = batchSize * numKvHeads;
  const mayCut = !states && !(out.tensor && out.ptr === inputs.q.ptr); // a range that is written must not be read by another
  const columnRanges = mayCut ? Math.min(Math.ceil(valueDim / PANEL), Math.ceil(threads / heads)) : 1;
  const workspaceBytes = wholeLines(kernels.linearWorkBytes(headDim, featureDim, valueDim, chunkSize, stripRows));
  const projections = projectionsOf(runtime, operation, config, numKvHeads, headDim);

  const listBytes = wholeLines(4 * batchSize);
  const projectionBytes = wholeLines(projections?.byteLength ?? 0);
  const ownBytes = 2 * listBytes + projectionBytes + threads * workspaceBytes;
  const operands = call.out ? call.given : [...call.given, out];
  onScratch(runtime, operation, operands, ownBytes, (ptr) => {
    const lists = ptr >>> 2;
    memory.i32.set(call.keyLengths, lists);
    memory.i32.set(states?.openKeys ?? new Array<number>(batchSize).fill(0), lists + (listBytes >>> 2));
    const projectionsPtr = ptr + 2 * listBytes;
    if (projections) memory.f32.set(projections, projectionsPtr >>> 2);
    writeStruct(memory, jobPtr, LINEAR_PARAMS, {
      ...paramsOf(call, out),
      projections: projections ? projectionsPtr : 0,
      states: states?.ptr ?? 0,
      keyLengths: ptr,
      openKeys: ptr + listBytes,
      chunkSize,
      columnRanges,
      stripRows,
    });
    runtime.run(operation, {
      kernel: "linearAttention",
      params: jobPtr,
      workspaces: projectionsPtr + projectionBytes,
      workspaceBytes,
      units: heads * columnRanges,
      work,
      threads,
    });
  });
}

type OwnParams = "projections" | "states" | "keyLengths" | "openKeys" | "chunkSize" | "columnRanges" | "stripRows";

/** The struct of a call; all operands have their places. */
function paramsOf(call: LinearCall, out: Operand): Omit<LinearParams, OwnParams> {
  const { config, shape, inputs, layout, strides } = call;
  const { seqLen, kvLen, numHeads, numKeyHeads, numKvHeads, headDim, featureDim, valueDim } = shape;
  const qStrides = stridesOf(layout, seqLen, numHeads, headDim);
  const kStrides = stridesOf(layout, kvLen, numKeyHeads, headDim);
  const vStrides = stridesOf(layout, kvLen, numKvHeads, valueDim);
  const outStrides = stridesOf(layout, seqLen, Math.max(numHeads, numKvHeads), valueDim);
  return {
    q: inputs.q.ptr,
    k: inputs.k.ptr,
    v: inputs.v.ptr,
    out: out.ptr,
    mask: inputs.mask?.ptr ?? 0,
    decay: inputs.decay?.ptr ?? 0,
    beta: inputs.beta?.ptr ?? 0,
    featureMap: config.map,
    causal: config.isCausal ? 1 : 0,
    isNormalized: config.isNormalized ? 1 : 0,
    isDelta: isDelta(config.rule) ? 1 : 0,
    decayDim: call.decayDim,
    eps: config.eps,
    scale: config.scale ?? 1 / Math.sqrt(headDim),
    seqLen,
    kvLen,
    numHeads,
    numKeyHeads,
    numKvHeads,
    headDim,
    featureDim,
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
    maskBatchStride: call.maskBatchStride,
    decayRowStride: strides.decay.row,
    decayHeadStride: strides.decay.head,
    decayBatchStride: strides.decay.batch,
    betaRowStride: strides.beta.row,
    betaHeadStride: strides.beta.head,
    betaBatchStride: strides.beta.batch,
  };
}
