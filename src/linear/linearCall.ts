/** One call of linear attention as the caller describes it, read once and checked; only numbers and operands remain. */
import { onScratch } from "../call/scratch.js";
import { assertUnchanged } from "../call/unchanged.js";
import type { Call } from "../call/call.js";
import { expectSize, headsOption, inOrder, type Layout, LAYOUTS, NO_STRIDES, type Strides, sizesOf, stridesOf } from "../call/layout.js";
import { oneOf, show, wrongValue, type Integers, integersOf, isAbsent, optional } from "../check.js";
import { type Operand } from "../call/operand.js";
import type { Float32Tensor, PlaceTensor, MaskLike, TensorLike } from "../call/tensor.js";
import { checkGates, type FeatureFunction, type LinearConfig, type LinearKind } from "./linearConfig.js";

/** The inputs of linear attention besides q, k and v, for calls with a state too. */
export interface LinearInputs<Out extends PlaceTensor = Float32Tensor> {
  /** Order of axes, as in attention: "bshd", "bhsd" or "sbhd". Default "bshd". */
  layout?: Layout | undefined;
  /** Heads of q, where rows hold heads side by side: [batch, seq, numHeads · headDim], as in ONNX. The result is of rank 3 too. */
  numHeads?: number | undefined;
  /** The same for v. Default numHeads, or those of the state. */
  numKvHeads?: number | undefined;
  /** The same for k. Default numKvHeads. */
  numKeyHeads?: number | undefined;
  /**
   * For gated rules: log of the factor on the state at each position, at most 0 for it to stay bounded; −∞ clears it. [batch, seq,
   * numKvHeads] for whole heads, [batch, seq, numKvHeads, headDim] for channels of keys, in the layout, or [numKvHeads] for all
   * positions (retention, arXiv:2307.08621). Where q has rank 2 also [seq] or [seq, headDim].
   */
  decay?: TensorLike | undefined;
  /** For delta rules: how far the state's value for a key moves towards v, as a share: [batch, seq, numKvHeads] in the layout. */
  beta?: TensorLike | undefined;
  /** Number of keys in each sequence [batch]; those beyond are ignored. Default all. */
  keyLengths?: Integers | undefined;
  /** Integers or booleans [batch, kvLen] or [kvLen]: keys at 0 are ignored. If the rule is gated, their decays still apply to the state. */
  keyMask?: MaskLike | undefined;
  /** Receives the output, and is returned: [batch, seq, heads, valueDim] in the layout of q. */
  out?: Out | undefined;
}

/** Options of linear attention. */
export interface LinearOptions<Out extends PlaceTensor = Float32Tensor> extends LinearKind, LinearInputs<Out> {
  /** Whether row i sees only the keys up to i; then kvLen = seqLen. Default false, with `rule` true. */
  causal?: boolean | undefined;
}

const KIND_OPTIONS = [
  "featureMap",
  "causal",
  "normalize",
  "eps",
  "scale",
  "rule",
  "chunkSize",
  "features",
  "seed",
] as const;
const HEADS_OPTIONS = ["numHeads", "numKvHeads", "numKeyHeads"] as const;
export const INPUT_OPTIONS: readonly string[] = ["layout", ...HEADS_OPTIONS, "decay", "beta", "keyLengths", "keyMask", "out"];
export const LINEAR_OPTIONS: readonly string[] = [...INPUT_OPTIONS, ...KIND_OPTIONS];

/** Sizes of one call. */
export interface LinearShape {
  readonly batchSize: number;
  readonly seqLen: number;
  readonly kvLen: number;
  readonly numHeads: number;
  readonly numKeyHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly featureDim: number;
  readonly valueDim: number;
  readonly outDims: readonly number[];
}

/** Sizes of a state. */
export type StateSizes = Pick<LinearShape, "batchSize" | "numKeyHeads" | "numKvHeads" | "headDim" | "featureDim" | "valueDim"> & {
  /** 0, 1 for a whole head, or headDim. */
  readonly decayDim: number;
};

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
  /** Number of keys of each sequence; empty for a call without rows. */
  readonly keyLengths: readonly number[];
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
  options: LinearInputs<PlaceTensor>,
  config: LinearConfig,
  state: StateSizes | undefined,
): LinearCall {
  const { layout: layoutOption = "bshd", decay, beta, keyLengths, keyMask: keyMaskOption, out: returned } = options;
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
  const { batchSize, kvLen, outDims } = sizes;
  const isFlat = q.dims.length === 2;
  const decays = gateStrides(call.operation, gates.decay, layout, isFlat, sizes, state ? state.decayDim : undefined);
  const betas = gateStrides(call.operation, gates.beta, layout, isFlat, sizes, 1);
  const maskBatchStride = keyMask ? maskStride(call.operation, keyMask, batchSize, kvLen) : 0;
  const lengths = isAbsent(keyLengths)
    ? new Array<number>(sizes.seqLen === 0 ? 0 : batchSize).fill(kvLen)
    : integersOf(call.operation, "keyLengths", keyLengths, batchSize, 0, kvLen);
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
    keyLengths: lengths,
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
      data = call.runtime.memory.f32.slice(operand.ptr >>> 2, (operand.ptr >>> 2) + operand.count);
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

interface LinearRowLayout {
  readonly layout: Layout;
  readonly numHeads: number | undefined;
  readonly numKvHeads: number | undefined;
  readonly numKeyHeads: number | undefined;
}

/** Sizes of q, k and v together. @throws {RangeError} sizes that do not fit together */
function linearShape(
  operation: string,
  { q, k, v }: { q: Operand; k: Operand; v: Operand },
  { layout, numHeads, numKvHeads, numKeyHeads }: LinearRowLayout,
  { isCausal, features, mapFunction }: LinearConfig,
  state: StateSizes | undefined,
): LinearShape {
  const isSplit = v.dims.length === 3;
  const valueHeads = numKvHeads ?? (isSplit ? (state?.numKvHeads ?? numHeads) : undefined);
  const keyHeads = numKeyHeads ?? (isSplit ? (state?.numKeyHeads ?? valueHeads) : undefined);
  const query = sizesOf(operation, q, layout, numHeads);
  const key = sizesOf(operation, k, layout, keyHeads);
  const value = sizesOf(operation, v, layout, valueHeads);
  const expect = (tensor: Operand, size: string, found: number, expected: number, why: string): void =>
    expectSize(operation, tensor, size, found, expected, why);
  const like = (tensor: Operand): string => `${tensor.name} has dims ${show(tensor.dims)}`;
  expect(k, "rank", k.dims.length, q.dims.length, like(q));
  expect(v, "rank", v.dims.length, q.dims.length, like(q));
  expect(k, "batch", key.batch, query.batch, like(q));
  expect(v, "batch", value.batch, query.batch, like(q));
  expect(k, "headDim", key.channels, query.channels, like(q));
  expect(v, "kvLen", value.rows, key.rows, like(k));
  for (const [tensor, { heads, channels }] of [[q, query] as const, [k, key] as const, [v, value] as const]) {
    if (heads < 1 || channels < 1) {
      throw wrongValue(operation, `"${tensor.name}" has ${heads} heads of ${channels}, expected at least 1 of each`);
    }
  }
  if (value.heads % key.heads !== 0) {
    throw wrongValue(operation, `"v" has ${value.heads} heads, expected a multiple of the ${key.heads} that k has (${like(k)})`);
  }
  if (query.heads % value.heads !== 0 && value.heads % query.heads !== 0) {
    throw wrongValue(
      operation,
      `"q" has ${query.heads} heads, expected a multiple or a divisor of the ${value.heads} that v has (${like(v)})`,
    );
  }
  if (isCausal) expect(k, "kvLen", key.rows, query.rows, `causal: one key for each row; ${like(q)}`);
  if (state) {
    expect(q, "batch", query.batch, state.batchSize, "as in the state");
    expect(k, "heads", key.heads, state.numKeyHeads, "as in the state");
    expect(v, "heads", value.heads, state.numKvHeads, "as in the state");
    const channels = mapFunction ? state.featureDim : state.headDim;
    expect(k, mapFunction ? "features" : "headDim", key.channels, channels, "as in the state");
    expect(v, "valueDim", value.channels, state.valueDim, "as in the state");
  }
  const numOutHeads = Math.max(query.heads, value.heads);
  const axes = inOrder(layout, query.batch, query.rows, numOutHeads);
  const outDims =
    q.dims.length === 2
      ? [query.rows, value.channels]
      : isSplit
        ? [axes[0]!, axes[1]!, numOutHeads * value.channels]
        : [...axes, value.channels];
  return {
    batchSize: query.batch,
    seqLen: query.rows,
    kvLen: key.rows,
    numHeads: query.heads,
    numKeyHeads: key.heads,
    numKvHeads: value.heads,
    headDim: query.channels,
    featureDim: mapFunction ? query.channels : (features ?? query.channels),
    valueDim: value.channels,
    outDims,
  };
}

/**
 * Strides of a decay or beta, and how many elements it has for a head at a position.
 *
 * @param size  how many it must have; undefined for 1 or headDim
 */
function gateStrides(
  operation: string,
  gate: Operand | undefined,
  layout: Layout,
  isFlat: boolean,
  { batchSize, kvLen, numKvHeads, headDim }: LinearShape,
  size: number | undefined,
): { size: number; strides: Strides } {
  if (!gate) return { size: 0, strides: NO_STRIDES };
  const { name, dims } = gate;
  const positions = isFlat ? [kvLen] : inOrder(layout, batchSize, kvLen, numKvHeads);
  const isFixed = name === "decay" && (size !== headDim || headDim === 1) && show(dims) === show([numKvHeads]);
  if (isFixed) return { size: 1, strides: { row: 0, head: 1, batch: 0 } };
  const wanted =
    size === undefined || (size === 1 && headDim === 1)
      ? [positions, [...positions, headDim]]
      : [size === 1 ? positions : [...positions, size]];
  if (!wanted.some((each) => show(each) === show(dims))) {
    throw wrongValue(operation, `"${name}" has dims ${show(dims)}, expected ${wanted.map(show).join(" or ")}`);
  }
  const found = dims.length > positions.length ? headDim : 1;
  return { size: found, strides: stridesOf({ ...gate, dims: [...positions, found] }, layout, found) };
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
