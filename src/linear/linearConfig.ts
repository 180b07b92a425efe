/** The kind of linear attention of a call or a state: its options, read once and checked together. */
import { describe, float32, integer, oneOf, wrongKind } from "../check.js";
import { BLOCK, FEATURE_MAPS } from "../runtime/abi.generated.js";
import type { OwnFloat32Array, TensorLike } from "../call/tensor.js";

/** The feature maps of the kernels. */
type NamedMap = (typeof FEATURE_MAPS)[number];

/** A function of one tensor: receives numbers and sizes, and returns a tensor of the same sizes except for the last. */
export type FeatureFunction = (x: { data: OwnFloat32Array; dims: readonly number[] }) => TensorLike;

/** The feature map φ: φ(q)·φ(k) takes the place of exp(q·k). */
export type FeatureMap = NamedMap | FeatureFunction;

/** What flash-linear-attention, ONNX and transformers call the options. */
export const LINEAR_NAMES = {
  decay: "g gk",
  "keyMask, other than 0 where a key counts; PyTorch has it the other way round": "paddingmask",
  keyMask: "mask",
  numKvHeads: "numheads numvheads",
  numKeyHeads: "numkheads",
  valueDim: "headvdim",
  headDim: "headkdim",
  layout: "first",
  "createLinearAttentionState takes it": "initialstate",
  "state.sums() gives the final state": "finalstate",
  "a state goes on from earlier tokens: state.step(q, k, v)": "state",
  "normalize q and k before the call": "l2norm",
};

export const RULES = ["linear", "gated", "delta", "gated_delta"] as const;
/** How a key updates a state. */
export type LinearRule = (typeof RULES)[number];

/** The options that choose the kind of linear attention. */
export interface LinearKind {
  /**
   * φ of queries and keys: "elu+1", "identity", "relu", "relu2", "exp", "softmax" (Efficient Attention), "favor+" (Performer), or a
   * function of one tensor, which may change its last size. Default "elu+1", with `rule` "identity".
   */
  featureMap?: FeatureMap | null | undefined;
  /** Whether results are divided by φ(q)·Σφ(k) + eps. Default true; with `rule` or "softmax" false. */
  normalize?: boolean | null | undefined;
  /** Added to the divisor of results. Default 1e-6. */
  eps?: number | null | undefined;
  /** Factor on φ(q). Default 1, with `rule` 1/√headDim. */
  scale?: number | null | undefined;
  /** How a key updates the state; gated rules need `decay`, delta rules `beta`. Default none: the kernel form. */
  rule?: LinearRule | null | undefined;
  /** Number of keys folded into the state at once, 1 to 512; affects only the rounding of results. Default 48. */
  chunkSize?: number | null | undefined;
  /** Number of random features of "favor+". Default 256. */
  features?: number | null | undefined;
  /** Seed of the random features of "favor+", an integer from 0 to 2³² − 1. Default 0. */
  seed?: number | null | undefined;
}

/** @internal */
export interface LinearConfig {
  /** Number in FEATURE_MAPS; that of "identity" for a function. */
  readonly map: number;
  readonly mapFunction: FeatureFunction | undefined;
  readonly rule: LinearRule | undefined;
  readonly isNormalized: boolean;
  readonly eps: number;
  /** Undefined: 1/√headDim. */
  readonly scale: number | undefined;
  readonly chunkSize: number;
  readonly isCausal: boolean;
  /** For "favor+", and in a state with a function; otherwise undefined. */
  readonly features: number | undefined;
  readonly seed: number;
}

/**
 * Keys in a chunk: whole strips of 6 rows and of 4, and whole panels. Granite Rapids, relaxed, 12 × 16384 × 64 causal, see
 * `npm run bench -- linear`.
 */
const CHUNK = 48;
/** The room in a row of scores. */
const MAX_CHUNK = BLOCK;
const MAX_FEATURES = 2 ** 16;

export const isGated = (rule: LinearRule | undefined): boolean => rule === "gated" || rule === "gated_delta";
export const isDelta = (rule: LinearRule | undefined): boolean => rule === "delta" || rule === "gated_delta";

/**
 * Reads the kind of linear attention.
 *
 * @param causal   the option of that name, or undefined
 * @param isState  whether a state is to be made: then it is causal, and `features` may also accompany a function
 * @throws {TypeError} options that cannot be combined
 * @internal
 */
export function readLinearConfig(operation: string, options: LinearKind, causal: unknown, isState: boolean): LinearConfig {
  const { featureMap, normalize, eps, scale, rule: ruleOption, chunkSize = CHUNK, features, seed } = options;
  const rule = ruleOption === undefined ? undefined : oneOf(operation, "rule", ruleOption, RULES);
  const refuse = (name: string, value: unknown, why: string): void => {
    if (value !== undefined) throw wrongKind(operation, `"${name}" ${why}`);
  };
  const mapName = readMap(operation, featureMap, rule);
  const isFavor = mapName === "favor+";
  const isSoftmax = mapName === "softmax";
  const isCausal = causal === undefined ? isState || rule !== undefined : oneOf(operation, "causal", causal, [true, false]);
  if (rule !== undefined && !isCausal) {
    throw wrongKind(operation, `"causal" cannot be false with rule "${rule}", which takes keys one after the other`);
  }
  if (isSoftmax && isCausal) {
    throw wrongKind(operation, '"featureMap" cannot be "softmax" when causal: its softmax of keys is over all positions');
  }
  const isNormalized =
    normalize === undefined ? rule === undefined && !isSoftmax : oneOf(operation, "normalize", normalize, [true, false]);
  if (isNormalized && rule !== undefined) throw wrongKind(operation, `"normalize" cannot be true with rule "${rule}"`);
  if (isNormalized && isSoftmax) throw wrongKind(operation, '"normalize" cannot be true with featureMap "softmax"');
  if (!isNormalized) refuse("eps", eps, "has no effect when results are not normalized");
  if (!isFavor) {
    refuse("seed", seed, `is for featureMap "favor+", but featureMap is ${describe(mapName ?? featureMap)}`);
    if (!isState || mapName !== undefined)
      refuse("features", features, `is for featureMap "favor+", but featureMap is ${describe(mapName ?? featureMap)}`);
  }
  return {
    map: FEATURE_MAPS.indexOf(mapName ?? "identity"),
    mapFunction: mapName === undefined ? (featureMap as FeatureFunction) : undefined,
    rule,
    isNormalized,
    eps: float32(operation, "eps", eps ?? 1e-6, 0),
    scale: scale === undefined ? (rule === undefined ? 1 : undefined) : float32(operation, "scale", scale),
    chunkSize: integer(operation, "chunkSize", chunkSize, 1, MAX_CHUNK),
    isCausal,
    features: features === undefined ? (isFavor ? 256 : undefined) : integer(operation, "features", features, 1, MAX_FEATURES),
    seed: integer(operation, "seed", seed ?? 0, 0, 2 ** 32 - 1),
  };
}

/** The name of a feature map; undefined for a function. */
function readMap(operation: string, featureMap: unknown, rule: LinearRule | undefined): NamedMap | undefined {
  if (rule !== undefined) {
    if (featureMap !== undefined && featureMap !== "identity") {
      throw wrongKind(operation, `"featureMap" cannot be ${describe(featureMap)} with rule "${rule}", whose map is "identity"`);
    }
    return "identity";
  }
  if (featureMap === undefined) return "elu+1";
  if (typeof featureMap === "function") return undefined;
  if (typeof featureMap === "string") return oneOf(operation, "featureMap", featureMap, FEATURE_MAPS);
  throw wrongKind(
    operation,
    `"featureMap" must be a function or one of ${FEATURE_MAPS.map(describe).join(", ")}, got ${describe(featureMap)}`,
  );
}

/** Refuses gates that the rule does not use, and requires those that it needs. */
export function checkGates(operation: string, rule: LinearRule | undefined, gates: { decay: unknown; beta: unknown }): void {
  for (const [name, isNeeded] of [["decay", isGated(rule)] as const, ["beta", isDelta(rule)] as const]) {
    const isGiven = gates[name] !== undefined && gates[name] !== null;
    if (isNeeded && !isGiven) throw wrongKind(operation, `"${name}" is missing: rule "${rule}" needs it`);
    if (isGiven && rule === undefined)
      throw wrongKind(operation, `"${name}" needs rule "${name === "decay" ? "gated" : "delta"}" or "gated_delta"`);
    if (isGiven && !isNeeded) throw wrongKind(operation, `"${name}" cannot be combined with rule "${rule}"`);
  }
}
