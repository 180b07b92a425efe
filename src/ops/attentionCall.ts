/** One attention call as the caller describes it, read once and checked: what remains are numbers and operands. */
import { describe, float32, integer, knownOptions, oneOf, wrongKind, wrongValue } from "../check.js";
import { type Operand, readMask, readNumbers, readPlace, refuseOverlap, refuseSharedPlace } from "../operand.js";
import { type AttentionParams, SCORES_STAGES, type ScoresStage } from "../runtime/params.js";
import type { Runtime } from "../runtime/runtime.js";
import { type AttentionShape, attentionShape, type BroadcastStrides, broadcastStrides, type Layout, LAYOUTS } from "../shape.js";
import type { Float32Tensor, TensorLike } from "../tensor.js";

/** Options of scaled dot-product attention. */
export interface AttentionOptions<Out extends Float32Tensor = Float32Tensor> {
  /** Order of axes: "bshd" = [batch, seq, heads, headDim], "bhsd" = [batch, heads, seq, headDim]. Default "bshd". */
  layout?: Layout | undefined;
  /** Factor on q·k. Default 1/√headDim. */
  scale?: number | undefined;
  /** Bounds scores to ±softcap by softcap · tanh(score / softcap) (Gemma 2, arXiv:2408.00118). Default 0: off. */
  softcap?: number | undefined;
  /**
   * Added to the scores; −∞ hides a key. Broadcasts to [batch, numHeads, seqLen, kvLen], aligned to the right; a last axis shorter
   * than kvLen, but not 1, hides the keys beyond it.
   */
  bias?: TensorLike | undefined;
  /** Bytes, other than 0 where a query may attend. Broadcasts as `bias` does. */
  mask?: TensorLike | undefined;
  /**
   * Row i sees no key after its position: `true` or "lower-right" aligns the last query with the last key, "upper-left" the first
   * with the first. Default false.
   */
  causal?: boolean | "lower-right" | "upper-left" | undefined;
  /** Position of query row 0, for all sequences or for each. Default keyLength − queryLength, 0 for "upper-left". */
  queryOffset?: number | ArrayLike<number> | undefined;
  /**
   * Keys before and after its position that a row sees, both ends included: n is [n, n], and [n, 0] when causal; −1 is unlimited
   * (Longformer, arXiv:2004.05150). Default unlimited.
   */
  window?: number | readonly [number | undefined, number | undefined] | undefined;
  /** First keys that the window doesn't hide (StreamingLLM, arXiv:2309.17453). Default 0. */
  sinkTokens?: number | undefined;
  /** Query rows that count in each sequence [batch]; the rows beyond give 0. Default seqLen. */
  queryLengths?: ArrayLike<number> | undefined;
  /** Keys that count in each sequence [batch]. Default kvLen. */
  keyLengths?: ArrayLike<number> | undefined;
  /** One more logit a head [numHeads], without scale, softcap, bias or value. */
  sinks?: TensorLike | undefined;
  /** Receives the output, and is returned: [batch, seq, heads, valueDim] in the layout of q. */
  out?: Out | undefined;
  /** Receives maximum + ln Σ exp(score − maximum) of each row: [batch, numHeads, seqLen]. */
  logSumExp?: Float32Tensor | undefined;
  /** Receives the weights: [batch, numHeads, seqLen, kvLen]. */
  weights?: Float32Tensor | undefined;
  /** Receives the scores: [batch, numHeads, seqLen, kvLen]. */
  scores?: Float32Tensor | undefined;
  /** What `scores` receives: q·k "scaled", also "capped", also "biased" with −∞ where a key is invisible. Default "biased". */
  scoresStage?: ScoresStage | undefined;
}

/** What a call takes. */
export interface AttentionPlan {
  /** Threads that share the call. */
  readonly threads: number;
  /** Bytes of the engine's memory that it takes while it runs, beside tensors that lie there. */
  readonly scratchBytes: number;
}

export const OPERATION = "scaledDotProductAttention";
const OPTIONS = [
  ...["layout", "scale", "softcap", "bias", "mask", "causal", "queryOffset", "window", "sinkTokens", "queryLengths", "keyLengths"],
  ...["sinks", "out", "logSumExp", "weights", "scores", "scoresStage"],
];

/** Positions, windows and sink tokens stay below this: sums of three of them fit in 32 bits. */
const MAX_POSITION = 2 ** 29;

/**
 * Nothing of the caller's is looked at again but the elements of arrays.
 * @internal
 */
export interface AttentionCall {
  readonly layout: Layout;
  readonly shape: AttentionShape;
  readonly inputs: Record<"q" | "k" | "v", Operand> & Record<"mask" | "bias" | "sinks", Operand | undefined>;
  readonly results: Record<"out" | "logSumExp" | "weights" | "scores", Operand | undefined>;
  /** All of them that there are. */
  readonly given: readonly Operand[];
  readonly strides: Record<"mask" | "bias", BroadcastStrides | undefined>;
  readonly numbers: Pick<
    AttentionParams,
    "scale" | "softcap" | "causal" | "windowLeft" | "windowRight" | "sinkTokens" | "scoresStage"
  >;
  /** Three numbers a sequence: see SequenceParams. */
  readonly sequences: Int32Array;
  /** What the caller gave as `out`. */
  readonly returned: Float32Tensor | undefined;
}

/**
 * Reads a call.
 * @internal
 * @throws {TypeError} the wrong kind of value
 * @throws {RangeError} sizes or values that don't fit
 * @throws {Error} a tensor that has been disposed of
 */
export function readCall(runtime: Runtime, q: TensorLike, k: TensorLike, v: TensorLike, options: AttentionOptions): AttentionCall {
  knownOptions(OPERATION, options, OPTIONS);
  const {
    layout: layoutOption = "bshd",
    scale,
    softcap = 0,
    causal: causalOption = false,
    sinkTokens = 0,
    scoresStage = "biased",
  } = options;
  const layout = oneOf(OPERATION, "layout", layoutOption, LAYOUTS);
  const causal = oneOf(OPERATION, "causal", causalOption, [false, true, "lower-right", "upper-left"]);
  const numbers = (name: string, value: unknown): Operand => readNumbers(runtime, OPERATION, name, value);

  const operands = { q: numbers("q", q), k: numbers("k", k), v: numbers("v", v) };
  const shape = attentionShape(OPERATION, operands.q, operands.k, operands.v, layout);
  const inputs = {
    ...operands,
    mask: optional(options.mask, (mask) => readMask(runtime, OPERATION, "mask", mask)),
    bias: optional(options.bias, (bias) => numbers("bias", bias)),
    sinks: optional(options.sinks, (sinks) => sinksOf(numbers("sinks", sinks), shape)),
  };
  const strides = {
    mask: optional(inputs.mask, (mask) => broadcastStrides(OPERATION, mask, shape)),
    bias: optional(inputs.bias, (bias) => broadcastStrides(OPERATION, bias, shape)),
  };

  const { seqLen, kvLen, headDims } = shape;
  const leading = headDims.length ? "batch, numHeads, " : "";
  const place = (name: "out" | "logSumExp" | "weights" | "scores", value: unknown, dims: readonly number[], axes: string) =>
    optional(value, (given) => readPlace(runtime, OPERATION, name, given, dims, axes));
  const { out: returned } = options;
  const results = {
    out: place("out", returned, shape.outDims, `the sizes of q with valueDim ${shape.valueDim}`),
    logSumExp: place("logSumExp", options.logSumExp, [...headDims, seqLen], `${leading}seqLen`),
    weights: place("weights", options.weights, [...headDims, seqLen, kvLen], `${leading}seqLen, kvLen`),
    scores: place("scores", options.scores, [...headDims, seqLen, kvLen], `${leading}seqLen, kvLen`),
  };
  const given: Operand[] = [inputs.q, inputs.k, inputs.v];
  for (const operand of [inputs.mask, inputs.bias, inputs.sinks, results.out, results.logSumExp, results.weights, results.scores]) {
    if (operand) given.push(operand);
  }
  for (const result of given) {
    if (!result.isResult) continue;
    for (const other of given) {
      if (other === result) continue;
      if (other.isResult) refuseSharedPlace(OPERATION, result, other);
      else if (result.tensor) refuseOverlap(OPERATION, result, other, result === results.out ? inputs.q : undefined);
    }
  }

  const [windowLeft, windowRight] = windowOf(options.window);
  return {
    layout,
    shape,
    inputs,
    results,
    given,
    strides,
    numbers: {
      scale: scale === undefined ? 1 / Math.sqrt(shape.headDim) : float32(OPERATION, "scale", scale),
      softcap: float32(OPERATION, "softcap", softcap, 0),
      causal: causal === false ? 0 : 1,
      windowLeft,
      windowRight,
      sinkTokens: Math.min(integer(OPERATION, "sinkTokens", sinkTokens, 0, MAX_POSITION), kvLen),
      scoresStage: SCORES_STAGES.indexOf(oneOf(OPERATION, "scoresStage", scoresStage, SCORES_STAGES)),
    },
    sequences: sequencesOf(
      options,
      shape,
      causal === "upper-left",
      Math.min(strides.mask?.keys ?? kvLen, strides.bias?.keys ?? kvLen),
    ),
    returned,
  };
}

/** `read` applied to what is there; null counts as absent, as a missing tensor often does. */
const optional = <T, R>(value: T | undefined | null, read: (value: T) => R): R | undefined =>
  value === undefined || value === null ? undefined : read(value);

function sinksOf(sinks: Operand, { numHeads }: AttentionShape): Operand {
  if (sinks.count === numHeads) return sinks;
  throw wrongValue(OPERATION, `"sinks" holds ${sinks.count} elements, expected ${numHeads}, one for each query head`);
}

/** The window as [left, right], −1 for unlimited. When causal the right end has no effect. */
function windowOf(window: unknown): [number, number] {
  const side = (name: string, value: unknown): number =>
    value === undefined ? -1 : integer(OPERATION, name, value, -1, MAX_POSITION);
  if (Array.isArray(window)) {
    if (window.length !== 2) throw wrongValue(OPERATION, `"window" must be n or [left, right], got ${describe(window)}`);
    return [side("window[0]", window[0]), side("window[1]", window[1])];
  }
  if (window !== undefined && typeof window !== "number") {
    throw wrongKind(OPERATION, `"window" must be n or [left, right], got ${describe(window)}`);
  }
  const reach = side("window", window);
  return [reach, reach];
}

/** Lengths and position of each sequence, as the kernel takes them. `coveredKeys` is what mask and bias leave. */
function sequencesOf(options: AttentionOptions, shape: AttentionShape, isUpperLeft: boolean, coveredKeys: number): Int32Array {
  const { batchSize, seqLen, kvLen } = shape;
  const queryLengths = optional(options.queryLengths, (lengths) => integersOf("queryLengths", lengths, batchSize, 0, seqLen));
  const keyLengths = optional(options.keyLengths, (lengths) => integersOf("keyLengths", lengths, batchSize, 0, kvLen));
  const queryOffsets = optional(options.queryOffset, (offset) =>
    typeof offset === "number"
      ? new Array<number>(batchSize).fill(integer(OPERATION, "queryOffset", offset, -MAX_POSITION, MAX_POSITION))
      : integersOf("queryOffset", offset, batchSize, -MAX_POSITION, MAX_POSITION),
  );
  const sequences = new Int32Array(3 * batchSize);
  for (let batch = 0; batch < batchSize; batch++) {
    const queryLength = queryLengths?.[batch] ?? seqLen;
    const keyLength = keyLengths?.[batch] ?? kvLen;
    const queryOffset = queryOffsets?.[batch] ?? (isUpperLeft ? 0 : keyLength - queryLength);
    sequences.set([queryLength, Math.min(keyLength, coveredKeys), queryOffset], 3 * batch);
  }
  return sequences;
}

function integersOf(name: string, values: unknown, batchSize: number, least: number, most: number): number[] {
  const length = typeof values === "object" ? (values as { length?: unknown } | null)?.length : undefined;
  if (typeof length !== "number")
    throw wrongKind(OPERATION, `"${name}" must be an array of ${batchSize} integers, got ${describe(values)}`);
  if (length !== batchSize)
    throw wrongValue(OPERATION, `"${name}" holds ${length} elements, expected ${batchSize}, one for each sequence`);
  const found: number[] = [];
  for (let index = 0; index < length; index++) {
    found.push(integer(OPERATION, `${name}[${index}]`, (values as ArrayLike<unknown>)[index], least, most));
  }
  return found;
}
