/** One call of linear attention as the caller describes it, read once and checked; only numbers and operands remain. */
import { onScratch } from "../call/scratch.js";
import { assertUnchanged } from "../call/unchanged.js";
import type { Call } from "../call/call.js";
import { type Layout, LAYOUTS, type Strides, sizesOf, stridesOf } from "../call/layout.js";
import { counted, oneOf, show, wrongValue, type Integers, integersOf, isAbsent, optional } from "../check.js";
import { type Operand } from "../call/operand.js";
import type { Float32Tensor, PlaceTensor, MaskLike, TensorLike } from "../call/tensor.js";
import { checkGates, type FeatureFunction, type LinearConfig, type LinearKind } from "./linearConfig.js";

/** The inputs of linear attention besides q, k and v, for calls with a state too. */
export interface LinearInputs<Out extends PlaceTensor = Float32Tensor> {
  /** Order of axes: "bshd" = [batch, seq, heads, headDim], "bhsd" = [batch, heads, seq, headDim]. Default "bshd". */
  layout?: Layout | undefined;
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

const KIND_OPTIONS = ["featureMap", "causal", "normalize", "eps", "scale", "rule", "chunkSize", "features", "seed"] as const;
export const INPUT_OPTIONS: readonly string[] = ["layout", "decay", "beta", "keyLengths", "keyMask", "out"];
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
  const raw = { q: call.numbers("q", tensors.q), k: call.numbers("k", tensors.k), v: call.numbers("v", tensors.v) };
  const gates = {
    decay: optional(decay, (value) => call.numbers("decay", value)),
    beta: optional(beta, (value) => call.numbers("beta", value)),
  };
  const keyMask = optional(keyMaskOption, (value) => call.mask("keyMask", value, "other than 0 where a key counts"));
  const { q, k, v } = config.mapFunction ? { ...mapped(call, config.mapFunction, raw), v: raw.v } : raw;
  const sizes = linearShape(call.operation, { q, k, v }, layout, config, state);
  const { batchSize, kvLen, outDims } = sizes;
  const isFlat = q.dims.length === 2;
  const decays = gateStrides(call.operation, gates.decay, layout, isFlat, sizes, state ? state.decayDim : undefined);
  const betas = gateStrides(call.operation, gates.beta, layout, isFlat, sizes, 1);
  const maskBatchStride = keyMask ? maskStride(call.operation, keyMask, batchSize, kvLen) : 0;
  const lengths = isAbsent(keyLengths)
    ? new Array<number>(sizes.seqLen === 0 ? 0 : batchSize).fill(kvLen)
    : integersOf(call.operation, "keyLengths", keyLengths, batchSize, 0, kvLen);
  const out = optional(returned, (value) =>
    call.place("out", value, outDims, `[batch, seq, heads, valueDim] in layout "${layout}"`),
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

/** Sizes of q, k and v together. @throws {RangeError} sizes that do not fit together */
function linearShape(
  operation: string,
  { q, k, v }: { q: Operand; k: Operand; v: Operand },
  layout: Layout,
  { isCausal, features, mapFunction }: LinearConfig,
  state: StateSizes | undefined,
): LinearShape {
  const [query, key, value] = [sizesOf(operation, q, layout), sizesOf(operation, k, layout), sizesOf(operation, v, layout)];
  const expect = (tensor: Operand, size: string, found: number, expected: number, why: string): void => {
    if (found === expected) return;
    throw wrongValue(operation, `"${tensor.name}" has ${size} ${found}, expected ${expected} (${why})`);
  };
  const like = (tensor: Operand): string => `${tensor.name} has dims ${show(tensor.dims)}`;
  expect(k, "rank", k.dims.length, q.dims.length, like(q));
  expect(v, "rank", v.dims.length, q.dims.length, like(q));
  expect(k, "batch", key.batch, query.batch, like(q));
  expect(v, "batch", value.batch, query.batch, like(q));
  expect(k, "headDim", key.channels, query.channels, like(q));
  expect(v, "kvLen", value.rows, key.rows, like(k));
  for (const [tensor, { heads, channels }] of [[q, query] as const, [k, key] as const, [v, value] as const]) {
    if (heads < 1 || channels < 1) {
      throw wrongValue(
        operation,
        `"${tensor.name}" has ${counted(heads, "head")} of ${counted(channels, "element")}, expected at least 1 of each`,
      );
    }
  }
  if (value.heads % key.heads !== 0) {
    throw wrongValue(
      operation,
      `"v" has ${counted(value.heads, "head")}, expected a multiple of the ${key.heads} that k has (${like(k)})`,
    );
  }
  if (query.heads % value.heads !== 0 && value.heads % query.heads !== 0) {
    throw wrongValue(
      operation,
      `"q" has ${counted(query.heads, "head")}, expected a multiple or a divisor of the ${value.heads} that v has (${like(v)})`,
    );
  }
  if (isCausal) expect(k, "kvLen", key.rows, query.rows, `causal: one key for each row; ${like(q)}`);
  if (state) {
    expect(q, "batch", query.batch, state.batchSize, "as in the state");
    expect(k, "numKeyHeads", key.heads, state.numKeyHeads, "as in the state");
    expect(v, "numKvHeads", value.heads, state.numKvHeads, "as in the state");
    const channels = mapFunction ? state.featureDim : state.headDim;
    expect(k, mapFunction ? "features" : "headDim", key.channels, channels, "as in the state");
    expect(v, "valueDim", value.channels, state.valueDim, "as in the state");
  }
  const numOutHeads = Math.max(query.heads, value.heads);
  const outDims =
    q.dims.length === 2
      ? [query.rows, value.channels]
      : layout === "bshd"
        ? [query.batch, query.rows, numOutHeads, value.channels]
        : [query.batch, numOutHeads, query.rows, value.channels];
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

export const NO_STRIDES: Strides = { row: 0, head: 0, batch: 0 };

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
  const positions = isFlat ? [kvLen] : layout === "bshd" ? [batchSize, kvLen, numKvHeads] : [batchSize, numKvHeads, kvLen];
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
  return { size: found, strides: stridesOf(layout, kvLen, isFlat ? 1 : numKvHeads, found) };
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
