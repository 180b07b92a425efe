/** What kind of linear attention a call or a state wants: its options, read once and checked for mixtures. */
import { describe, float32, integer, oneOf, wrongKind } from "../check.js";
import { BLOCK, FEATURE_MAPS } from "../runtime/abi.generated.js";
import type { TensorLike } from "../call/tensor.js";

/** The feature maps that kernels have. */
type NamedMap = (typeof FEATURE_MAPS)[number];

/** A function of one tensor: gets numbers and sizes, and returns a tensor of the same sizes but for the last. */
export type FeatureFunction = (x: { data: Float32Array; dims: readonly number[] }) => TensorLike;

/** What linear attention has in place of the exponential of q·k. */
export type FeatureMap = NamedMap | FeatureFunction;

export const RULES = ["linear", "gated", "delta", "gated_delta"] as const;
/** How a state takes a key in. */
export type LinearRule = (typeof RULES)[number];

/** The options that say which kind of linear attention it is. */
export interface LinearKind {
  /**
   * φ of queries and keys: "elu+1", "identity", "relu", "relu2", "exp", "softmax" (Efficient Attention), "favor+" (Performer), or a
   * function of one tensor, which may change its last size. Default "elu+1", with `rule` "identity".
   */
  featureMap?: FeatureMap | undefined;
  /** Whether results are divided by φ(q)·Σφ(k) + eps. Default true; with `rule` or "softmax" false. */
  normalize?: boolean | undefined;
  /** Added to what results are divided by. Default 1e-6. */
  eps?: number | undefined;
  /** Factor on φ(q). Default 1, with `rule` 1/√headDim. */
  scale?: number | undefined;
  /** How the state takes a key in; gated rules need `decay`, delta rules `beta`. Default none: the kernel form. */
  rule?: LinearRule | undefined;
  /** Keys that are folded into the state at once, 1 to 512: changes results by their rounding. Default 48. */
  chunkSize?: number | undefined;
  /** Random features of "favor+". Default 256. */
  features?: number | undefined;
  /** What the features of "favor+" are drawn with, an integer from 0 to 2³² − 1. Default 0. */
  seed?: number | undefined;
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
  /** Of "favor+", and in a state of a function; otherwise undefined. */
  readonly features: number | undefined;
  readonly seed: number;
}

/**
 * Keys in a chunk: whole strips of 6 rows and of 4, and whole panels. Granite Rapids, relaxed, 12 × 16384 × 64 causal, see
 * `npm run bench -- linear`.
 */
const CHUNK = 48;
/** What a row of scores has room for. */
const MAX_CHUNK = BLOCK;
const MAX_FEATURES = 2 ** 16;

export const isGated = (rule: LinearRule | undefined): boolean => rule === "gated" || rule === "gated_delta";
export const isDelta = (rule: LinearRule | undefined): boolean => rule === "delta" || rule === "gated_delta";

/**
 * Reads what kind it is.
 *
 * @param causal   the option of that name; undefined where it says nothing
 * @param isState  whether a state is to be made: then it is causal, and `features` may go with a function too
 * @throws {TypeError} options that don't go together
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
    throw wrongKind(operation, `"causal" false can't go with rule "${rule}", which takes one key after the other`);
  }
  if (isSoftmax && isCausal) {
    throw wrongKind(operation, '"featureMap" "softmax" can\'t be causal: its keys are weighed over all positions');
  }
  const isNormalized =
    normalize === undefined ? rule === undefined && !isSoftmax : oneOf(operation, "normalize", normalize, [true, false]);
  if (isNormalized && rule !== undefined) throw wrongKind(operation, `"normalize" true can't go with rule "${rule}"`);
  if (isNormalized && isSoftmax) throw wrongKind(operation, '"normalize" true can\'t go with featureMap "softmax"');
  if (!isNormalized) refuse("eps", eps, "is added to what results are divided by, and here they are not normalized");
  if (!isFavor) {
    refuse("seed", seed, `is for featureMap "favor+", got ${describe(mapName ?? featureMap)}`);
    if (!isState || mapName !== undefined)
      refuse("features", features, `is for featureMap "favor+", got ${describe(mapName ?? featureMap)}`);
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
      throw wrongKind(operation, `"featureMap" ${describe(featureMap)} can't go with rule "${rule}", whose map is "identity"`);
    }
    return "identity";
  }
  if (featureMap === undefined) return "elu+1";
  if (typeof featureMap === "function") return undefined;
  if (typeof featureMap === "string") return oneOf(operation, "featureMap", featureMap, FEATURE_MAPS);
  throw wrongKind(
    operation,
    `"featureMap" must be a function or ${FEATURE_MAPS.map(describe).join(" or ")}, got ${describe(featureMap)}`,
  );
}

/** Refuses gates that the rule has no use for, and asks for those that it needs. */
export function checkGates(operation: string, rule: LinearRule | undefined, gates: { decay: unknown; beta: unknown }): void {
  for (const [name, isNeeded] of [["decay", isGated(rule)] as const, ["beta", isDelta(rule)] as const]) {
    const isGiven = gates[name] !== undefined && gates[name] !== null;
    if (isNeeded && !isGiven) throw wrongKind(operation, `"${name}" is missing, which rule "${rule}" needs`);
    if (isGiven && rule === undefined)
      throw wrongKind(operation, `"${name}" needs a rule, "${name === "decay" ? "gated" : "delta"}" or "gated_delta"`);
    if (isGiven && !isNeeded) throw wrongKind(operation, `"${name}" can't go with rule "${rule}"`);
  }
}
