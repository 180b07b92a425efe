/** One call of linear attention as the caller describes it, read once and checked; only numbers and operands remain. */
import { onScratch } from "../call/scratch.js";
import { assertUnchanged } from "../call/unchanged.js";
import type { Call } from "../call/call.js";
import type { Given } from "../call/readOptions.js";
import { headsOption, type Layout, LAYOUTS, type Strides } from "../call/layout.js";
import { oneOf, show, wrongValue, type Integers, optional } from "../check.js";
import { type Operand } from "../call/operand.js";
import type { Float32Tensor, PlaceTensor, MaskLike, TensorLike } from "../call/tensor.js";
import { gateStrides } from "./gateStrides.js";
import { checkGates, type FeatureFunction, type LinearConfig, type LinearKind } from "./linearConfig.js";
import { type LinearRows, linearSequences } from "./linearSequences.js";
import { type LinearShape, linearShape, type StateSizes } from "./linearShape.js";

/** The inputs of linear attention besides q, k and v, for calls with a state too. */
export interface LinearInputs<Out extends PlaceTensor = Float32Tensor> {
  /** Order of axes, as in attention: "bshd", "bhsd" or "sbhd". Default "bshd". */
  layout?: Layout | null | undefined;
  /** Heads of q, where rows hold heads side by side: [batch, seq, numHeads · headDim], as in ONNX. The result is of rank 3 too. */
  numHeads?: number | null | undefined;
  /** The same for v. Default numHeads, or those of the state. */
  numKvHeads?: number | null | undefined;
  /** The same for k. Default numKvHeads. */
  numKeyHeads?: number | null | undefined;
  /**
   * For gated rules: log of the factor on the state at each position, at most 0 for it to stay bounded; −∞ clears it. [batch, seq,
   * numKvHeads] for whole heads, [batch, seq, numKvHeads, headDim] for channels of keys, in the layout, or [numKvHeads] for all
   * positions (retention, arXiv:2307.08621). Where q has rank 2 also [seq] or [seq, headDim]. 1 in place of numKvHeads serves all heads.
   */
  decay?: TensorLike | null | undefined;
  /**
   * For delta rules: how far the state's value for a key moves towards v, as a share: [batch, seq, numKvHeads] in the layout. 1 in place
   * of numKvHeads serves all heads.
   */
  beta?: TensorLike | null | undefined;
  /** Number of keys in each sequence [batch]; those beyond are ignored. Default all. */
  keyLengths?: Integers | null | undefined;
  /**
   * Several sequences one after the other in a batch of 1: where each begins, and where the last one ends [sequences + 1], from 0 to
   * seqLen. Each has its own keys, and its own state if there is one. Default one sequence for each batch entry.
   */
  cuSeqlens?: Integers | null | undefined;
  /** Integers or booleans [batch, kvLen] or [kvLen]: keys at 0 are ignored. If the rule is gated, their decays still apply to the state. */
  keyMask?: MaskLike | null | undefined;
  /** Receives the output, and is returned: [batch, seq, heads, valueDim] in the layout of q. */
  out?: Out | null | undefined;
}

/** Options of linear attention. */
export interface LinearOptions<Out extends PlaceTensor = Float32Tensor> extends LinearKind, LinearInputs<Out> {
  /** Whether row i sees only the keys up to i; then kvLen = seqLen. Default false, with `rule` true. */
  causal?: boolean | null | undefined;
}

const KIND_OPTIONS = ["featureMap", "causal", "normalize", "eps", "scale", "rule", "chunkSize", "features", "seed"] as const;
const HEADS_OPTIONS = ["numHeads", "numKvHeads", "numKeyHeads"] as const;
export const INPUT_OPTIONS: readonly string[] = [
  ...["layout", ...HEADS_OPTIONS, "decay", "beta"],
  ...["keyLengths", "cuSeqlens", "keyMask", "out"],
];
export const LINEAR_OPTIONS: readonly string[] = [...INPUT_OPTIONS, ...KIND_OPTIONS];

/** @internal */
export interface LinearCall {
  readonly call: Call;
  readonly config: LinearConfig;
  readonly layout: Layout;
  readonly shape: LinearShape;
  readonly inputs: { readonly q: Operand; readonly k: Operand; readonly v: Operand } & Record<
    "decay" | "beta" | "keyMask",
    Operand | undefined
  >;
  readonly decayDim: number;
  readonly strides: Record<"decay" | "beta", Strides>;
  readonly maskBatchStride: number;
  /** One for each batch entry, or one for each packed sequence; none for a call without rows in entries. */
  readonly sequences: readonly LinearRows[];
  readonly out: Operand | undefined;
  /** What the caller gave as `out`. */
  readonly returned: PlaceTensor | undefined;
}

/**
 * Reads a call; none of the caller's code runs afterwards.
 *
 * @param state  sizes that the call must have
 * @internal
 */
export function readLinearCall(
  call: Call,
  tensors: { q: TensorLike; k: TensorLike; v: TensorLike },
  options: Given<LinearInputs<PlaceTensor>>,
  config: LinearConfig,
  state: StateSizes | undefined,
): LinearCall {
  const { layout: layoutOption = "bshd", decay, beta, keyMask: keyMaskOption, out: returned } = options;
  const { keyLengths, cuSeqlens } = options;
  const layout = oneOf(call.operation, "layout", layoutOption, LAYOUTS);
  checkGates(call.operation, config.rule, { decay, beta });
  const [numHeads, numKvHeads, numKeyHeads] = HEADS_OPTIONS.map((name) => headsOption(call.operation, name, options[name]));
  const isMapped = config.mapFunction !== undefined; // by a function, which gets a copy
  const raw = {
    q: call.numbers("q", tensors.q, !isMapped),
    k: call.numbers("k", tensors.k, !isMapped),
    v: call.numbers("v", tensors.v, true),
  };
  const gates = {
    decay: optional(decay, (value) => call.numbers("decay", value)),
    beta: optional(beta, (value) => call.numbers("beta", value)),
  };
  const keyMask = optional(keyMaskOption, (value) => call.mask("keyMask", value, "other than 0 where a key counts"));
  const { q, k, v } = config.mapFunction ? { ...mapped(call, config.mapFunction, raw), v: raw.v } : raw;
  const sizes = linearShape(call.operation, { q, k, v }, { layout, numHeads, numKvHeads, numKeyHeads }, config, state);
  const sequences = linearSequences(call.operation, { keyLengths, cuSeqlens }, sizes, state?.batchSize);
  const { batchSize, kvLen, outDims } = sizes;
  const isFlat = q.dims.length === 2;
  const decays = gateStrides(call.operation, gates.decay, layout, isFlat, sizes, state ? state.decayDim : undefined);
  const betas = gateStrides(call.operation, gates.beta, layout, isFlat, sizes, 1);
  const maskBatchStride = keyMask ? maskStride(call.operation, keyMask, batchSize, kvLen) : 0;
  const out = optional(returned, (value) =>
    call.place("out", value, outDims, `[batch, seq, heads, valueDim] in layout "${layout}"`, true),
  );
  call.close(() => [q]);
  return {
    call,
    config,
    layout,
    shape: sizes,
    inputs: { q, k, v, decay: gates.decay, beta: gates.beta, keyMask },
    decayDim: decays.size,
    strides: { decay: decays.strides, beta: betas.strides },
    maskBatchStride,
    sequences,
    out,
    returned: returned ?? undefined,
  };
}

/** φ(q) and φ(k) by the caller's function, which receives copies. */
function mapped(call: Call, map: FeatureFunction, raw: { q: Operand; k: Operand; v: Operand }): { q: Operand; k: Operand } {
  const apply = (name: "q" | "k"): Operand => {
    const operand = raw[name];
    assertUnchanged(call, [raw.q, raw.k, raw.v]); // the function may have disposed of or detached them
    let data = new Float32Array(0);
    onScratch(call, [operand], 0, () => {
      data = new Float32Array(call.runtime.memory.f32.subarray(operand.ptr >>> 2, (operand.ptr >>> 2) + operand.count));
    });
    const result = call.numbers(`featureMap(${name})`, map({ data, dims: operand.dims }));
    const expected = operand.dims.slice(0, -1);
    if (result.dims.length !== operand.dims.length || show(result.dims.slice(0, -1)) !== show(expected)) {
      throw wrongValue(
        call.operation,
        `"${result.name}" has dims ${show(result.dims)}, expected [${expected.join(", ")}, features] (as ${name})`,
      );
    }
    return result;
  };
  const features = { q: apply("q"), k: apply("k") };
  call.forget(raw.q);
  call.forget(raw.k);
  return features;
}

/** Elements from one sequence to the next in a mask. */
function maskStride(operation: string, mask: Operand, batchSize: number, kvLen: number): number {
  const { dims } = mask;
  if (show(dims) === show([kvLen])) return 0;
  if (show(dims) === show([batchSize, kvLen])) return kvLen;
  throw wrongValue(
    operation,
    `"keyMask" has dims ${show(dims)}, expected ${show([batchSize, kvLen])} or ${show([kvLen])} (batch, kvLen)`,
  );
}
