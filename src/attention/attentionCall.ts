/** One attention call as the caller describes it, read once and checked; only numbers and operands remain. */
import type { Call } from "../call/call.js";
import type { Given } from "../call/readOptions.js";
import { headsOption, type Layout, LAYOUTS } from "../call/layout.js";
import { counted, float32, integer, oneOf, wrongValue, MAX_POSITION, optional, isAbsent, isObject, listLength } from "../check.js";
import type { AttentionOptions, ROW_OPTIONS } from "./options.js";
import { type Operand, ownArray } from "../call/operand.js";
import { type AttentionParams, SCORES_STAGES, type SequenceParams } from "../runtime/abi.generated.js";
import { readExtensions } from "./extensions.js";
import type { Added, Addition, Extra } from "./extras.js";
import { type BroadcastStrides, readMasks } from "./maskOptions.js";
import { type AttentionShape, attentionShape, type CachedKeys, cachedShape } from "./shape.js";
import type { PlaceTensor, TensorLike } from "../call/tensor.js";
import { readPositions } from "./positions.js";
import { sequencesOf } from "./sequences.js";
import { windowOf } from "./window.js";

/** The resources that a call takes. */
export interface AttentionPlan {
  /** Threads that share the call. */
  readonly threads: number;
  /** Bytes of the engine's memory that it takes while it runs, besides tensors that already lie there. */
  readonly scratchBytes: number;
}

/** Keys and values as tensors. */
interface GivenKeys {
  readonly k: TensorLike;
  readonly v: TensorLike;
}

/**
 * Afterwards only the elements of the caller's arrays are read.
 * @internal
 */
export interface AttentionCall {
  readonly call: Call;
  readonly layout: Layout;
  readonly shape: AttentionShape;
  readonly inputs: { readonly q: Operand } & Record<
    "k" | "v" | "mask" | "bias" | "keyMask" | "sinks" | "scales",
    Operand | undefined
  >;
  /** The keys and values where they do not come as k and v. */
  readonly cache: CachedKeys | undefined;
  readonly results: Record<"out" | "logSumExp" | "weights" | "scores", Operand | undefined>;
  /** What it adds to plain attention. */
  readonly extras: readonly Extra[];
  /** All inputs and results that are present. */
  readonly given: readonly Operand[];
  readonly strides: Record<"mask" | "bias", BroadcastStrides | undefined>;
  readonly numbers: Pick<
    AttentionParams,
    "scale" | "softcap" | "causal" | "windowLeft" | "windowRight" | "sinkTokens" | "scoresStage"
  >;
  /** One for each batch entry, or one for each packed sequence. */
  readonly sequences: readonly SequenceParams[];
  /** What the caller gave as `out`. */
  readonly returned: PlaceTensor | undefined;
}

/**
 * Reads a call; none of the caller's code runs afterwards.
 *
 * @param addition  what the operation adds besides what options ask for
 * @internal
 * @throws {TypeError} the wrong kind of value
 * @throws {RangeError} sizes or values that do not fit
 * @throws {Error} a tensor that has been disposed of
 */
export function readAttention(
  call: Call,
  q: TensorLike,
  keys: GivenKeys | CachedKeys,
  options: Given<AttentionOptions<PlaceTensor>>,
  addition?: Addition,
): AttentionCall {
  const { operation } = call;
  const layout = oneOf(operation, "layout", options.layout ?? "bshd", LAYOUTS);
  const heads = (name: "numHeads" | "numKvHeads"): number | undefined => headsOption(operation, name, options[name]);
  const rowLayout = { layout, numHeads: heads("numHeads"), numKvHeads: heads("numKvHeads") };
  const query = call.numbers("q", q, true);
  const cache = "lengths" in keys ? keys : undefined;
  const rows = "lengths" in keys ? undefined : { k: call.numbers("k", keys.k, true), v: call.numbers("v", keys.v, true) };
  const added = addition?.(call, cache !== undefined);
  const shape = rows
    ? attentionShape(operation, query, rows.k, rows.v, rowLayout, added?.keySize)
    : cachedShape(operation, query, cache!, rowLayout, added?.keySize);
  const attention = attentionOn(call, { q: query, k: rows?.k, v: rows?.v }, cache, shape, layout, options, 0, added);
  call.close((result) => (result === attention.results.out ? [query] : []));
  return attention;
}

/**
 * Reads the rest of a call whose queries, and keys and values or cache, have been read.
 *
 * @param extraKeys  the last of the kvLen keys of each entry, which every row within queryLengths sees; results have columns for
 *   them; mask, bias and lengths do not
 * @internal
 * @throws as `readAttention`
 */
export function attentionOn(
  call: Call,
  operands: Pick<AttentionCall["inputs"], "q" | "k" | "v">,
  cache: CachedKeys | undefined,
  shape: AttentionShape,
  layout: Layout,
  options: Given<Omit<AttentionOptions<PlaceTensor>, (typeof ROW_OPTIONS)[number]>>,
  extraKeys = 0,
  added?: Added,
): AttentionCall {
  const { scale, softcap = 0, causal: causalOption = false, sinkTokens = 0, scoresStage = "biased" } = options;
  const causal = oneOf(call.operation, "causal", causalOption, [false, true, "lower-right", "upper-left"]);
  const hidable = extraKeys === 0 ? shape : { ...shape, kvLen: shape.kvLen - extraKeys }; // keys that options may hide
  const lengths = extraKeys === 0 ? cache?.lengths : cache?.lengths.map((length) => length - extraKeys);
  const masks = readMasks(call, options, hidable, lengths);
  const reading = { call, options, shape, layout, q: operands.q, k: operands.k, isInt8: cache?.isInt8 ?? false };
  const extras = readExtensions(reading);
  const positions = readPositions(reading);
  if (positions) extras.push(positions);
  const own = added?.read(reading);
  if (own) extras.push(own);
  const usualScale = own?.scale ?? 1 / Math.sqrt(shape.headDim);
  const { factor, scales } = scaleOf(call.operation, scale, usualScale, shape);
  const inputs = {
    q: operands.q,
    k: operands.k,
    v: operands.v,
    mask: masks.inputs.mask,
    bias: masks.inputs.bias,
    keyMask: masks.inputs.keyMask,
    scales,
    sinks: optional(options.sinks, (sinks) => sinksOf(call.operation, call.numbers("sinks", sinks), shape)),
  };

  const { seqLen, kvLen, headDims } = shape;
  const weightsSizes = extras.find((extra) => extra.weightsSizes)?.weightsSizes;
  const rowAxes = axesOfRows(shape);
  const place = (name: "out" | "logSumExp" | "weights" | "scores", value: unknown, dims: readonly number[], axes: string) =>
    optional(value, (given) => call.place(name, given, dims, axes, name === "out"));
  const { out: returned } = options;
  const results = {
    out: place("out", returned, shape.outDims, `the sizes of q with valueDim ${shape.valueDim}`),
    logSumExp: place("logSumExp", options.logSumExp, [...headDims, seqLen], rowAxes),
    weights: weightsSizes
      ? place("weights", options.weights, partDims(shape, weightsSizes), `${rowAxes}, kvLen, as far as in weightsRange`)
      : place("weights", options.weights, [...headDims, seqLen, kvLen], `${rowAxes}, kvLen`),
    scores: place("scores", options.scores, [...headDims, seqLen, kvLen], `${rowAxes}, kvLen`),
  };
  const given: Operand[] = [inputs.q];
  for (const operand of [
    inputs.k,
    inputs.v,
    inputs.mask,
    inputs.bias,
    inputs.keyMask,
    inputs.sinks,
    inputs.scales,
    results.out,
    results.logSumExp,
    results.weights,
    results.scores,
  ]) {
    if (operand) given.push(operand);
  }
  for (const { operands: others } of extras) given.push(...others);

  const [windowLeft, windowRight] = isAbsent(options.window) ? [-1, -1] : windowOf(call.operation, options.window);
  return {
    call,
    layout,
    shape,
    cache,
    inputs,
    results,
    extras,
    given,
    strides: masks.strides,
    numbers: {
      scale: factor,
      softcap: float32(call.operation, "softcap", softcap, 0),
      causal: causal === false ? 0 : 1,
      windowLeft,
      windowRight,
      sinkTokens: Math.min(integer(call.operation, "sinkTokens", sinkTokens, 0, MAX_POSITION), hidable.kvLen),
      scoresStage: SCORES_STAGES.indexOf(oneOf(call.operation, "scoresStage", scoresStage, SCORES_STAGES)),
    },
    sequences: sequencesOf(call.operation, options, hidable, causal === "upper-left", masks, lengths, extraKeys),
    returned,
  };
}

/** The axes of results that have one number for each row. */
export const axesOfRows = ({ headDims }: AttentionShape): string =>
  ["batch, ", "numHeads, "].slice(2 - headDims.length).join("") + "seqLen";

/** Sizes of the weights of some heads and rows. */
const partDims = ({ headDims, kvLen }: AttentionShape, [heads, rows]: readonly [number, number]): readonly number[] => [
  ...headDims.slice(0, -1),
  ...(headDims.length === 0 ? [] : [heads]),
  rows,
  kvLen,
];

/** The factor on q·k: one for all heads, or one for each. */
function scaleOf(
  operation: string,
  scale: number | ArrayLike<number> | undefined,
  usual: number,
  shape: AttentionShape,
): { factor: number; scales?: Operand } {
  if (scale === undefined) return { factor: usual };
  if (!isObject(scale)) return { factor: float32(operation, "scale", scale) };
  const count = listLength(operation, "scale", scale);
  if (count !== shape.numHeads) {
    throw wrongValue(operation, `"scale" holds ${counted(count, "element")}, expected ${shape.numHeads}, one for each query head`);
  }
  const scales = Float32Array.from({ length: count }, (_, head) => float32(operation, `scale[${head}]`, scale[head]));
  return { factor: 1, scales: ownArray("scale", scales, false) };
}

function sinksOf(operation: string, sinks: Operand, { numHeads }: AttentionShape): Operand {
  if (sinks.count === numHeads) return sinks;
  throw wrongValue(operation, `"sinks" holds ${counted(sinks.count, "element")}, expected ${numHeads}, one for each query head`);
}
