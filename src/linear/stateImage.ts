/**
 * A state of linear attention as bytes: 32-bit words in the machine's byte order, little-endian on all that run WebAssembly engines
 * today.
 *
 *     magic, version, batchSize, numKvHeads, numKeyHeads, headDim, featureDim, valueDim, decayDim,
 *     map or FUNCTION, rule + 1 or 0, isNormalized, eps, has scale, scale, chunkSize, features + 1 or 0, seed
 *     length as two words, keys in the open chunk           for each sequence
 *     the state as the kernels keep it                      for each sequence and head
 */
import type { Given } from "../call/readOptions.js";
import type { OwnUint8Array } from "../call/tensor.js";
import { FEATURE_MAPS } from "../runtime/abi.generated.js";
import { counted, describe, typedArrayName, plainView, wrongKind, wrongValue } from "../check.js";
import { type FeatureFunction, RULES } from "./linearConfig.js";
import { type LinearAttentionStateOptions, type LinearStateConfig, readLinearStateConfig } from "./stateConfig.js";

/** "HWLS" */
const MAGIC = 0x534c5748;
const VERSION = 1;
const CONFIG_WORDS = 18;
const SEQUENCE_WORDS = 3;
const FUNCTION = 0xffffffff;
const TWO_WORDS = 2 ** 32;

/** The data of a sequence outside its heads' states. */
export interface LinearSequence {
  /** Number of keys that it has seen. */
  readonly length: number;
  /** How many of these are in the open chunk. */
  readonly openKeys: number;
}

const floatBits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]!;
const bitsFloat = (bits: number): number => new Float32Array(Uint32Array.of(bits).buffer)[0]!;

export function writeLinearImage(
  { kind, sizes }: LinearStateConfig,
  sequences: readonly LinearSequence[],
  states: Uint8Array,
): OwnUint8Array {
  const words = [
    ...[MAGIC, VERSION, sizes.batchSize, sizes.numKvHeads, sizes.numKeyHeads, sizes.headDim, sizes.featureDim, sizes.valueDim],
    ...[sizes.decayDim, kind.mapFunction ? FUNCTION : kind.map, kind.rule ? RULES.indexOf(kind.rule) + 1 : 0],
    ...[kind.isNormalized ? 1 : 0, floatBits(kind.eps), kind.scale === undefined ? 0 : 1, floatBits(kind.scale ?? 0)],
    ...[kind.chunkSize, kind.features === undefined ? 0 : kind.features + 1, kind.seed],
    ...sequences.flatMap(({ length, openKeys }) => [length % TWO_WORDS, Math.floor(length / TWO_WORDS), openKeys]),
  ];
  const image = new Uint8Array(4 * words.length + states.length);
  new Uint32Array(image.buffer).set(words);
  image.set(states, 4 * words.length);
  return image;
}

interface LinearImage {
  /** The options of a state that can hold the image. */
  readonly options: LinearAttentionStateOptions;
  readonly sequences: readonly LinearSequence[];
  readonly states: Uint8Array;
}

/**
 * @param bytesOf  bytes of the heads' states for a configuration
 * @throws {RangeError} anything that writeLinearImage did not write
 */
export function readLinearImage(
  operation: string,
  bytes: unknown,
  mapFunction: FeatureFunction | undefined,
  bytesOf: (config: LinearStateConfig) => number,
): LinearImage {
  if (typedArrayName(bytes) !== "Uint8Array") throw wrongKind(operation, `"bytes" must be a Uint8Array, got ${describe(bytes)}`);
  const problem = (what: string): RangeError => wrongValue(operation, `"bytes" ${what}`);
  const copy = plainView(bytes as Uint8Array, Uint8Array).slice(); // aligned, and out of the caller's reach
  if (copy.length < 4 * CONFIG_WORDS || copy.length % 4 !== 0)
    throw problem(`has ${counted(copy.length, "byte")}, too few or cut off for a serialized state`);
  const header = new Uint32Array(copy.buffer);
  if (header[0] !== MAGIC) throw problem("does not begin like a serialized state");
  if (header[1] !== VERSION) throw problem(`has version ${header[1]}, expected ${VERSION}`);
  const [batchSize, numKvHeads, numKeyHeads, headDim, featureDim, valueDim, decayDim] = header.subarray(2) as unknown as number[];
  const [mapWord, ruleWord, normalizeWord, epsWord, hasScale, scaleWord, chunkSize, featuresWord, seed] = header.subarray(
    9,
  ) as unknown as number[];
  const isFunction = mapWord === FUNCTION;
  const featureMap = isFunction ? mapFunction : FEATURE_MAPS[mapWord!];
  const rule = ruleWord === 0 ? undefined : RULES[ruleWord! - 1];
  if (isFunction && mapFunction === undefined)
    throw wrongKind(operation, '"featureMap" is missing: the state was made with a function');
  if (!isFunction && mapFunction !== undefined)
    throw wrongKind(operation, `"featureMap" is a function, but the state was made with ${describe(featureMap)}`);
  if (featureMap === undefined || (ruleWord !== 0 && rule === undefined)) throw problem("is damaged");
  const options: Given<LinearAttentionStateOptions> = {
    batchSize: batchSize!,
    numKvHeads: numKvHeads!,
    numKeyHeads: numKeyHeads!,
    headDim: headDim!,
    valueDim: valueDim!,
    channelDecay: rule !== undefined && decayDim! > 1,
    featureMap,
    rule,
    normalize: normalizeWord === 1,
    eps: normalizeWord === 1 ? bitsFloat(epsWord!) : undefined,
    scale: hasScale === 0 ? undefined : bitsFloat(scaleWord!),
    chunkSize: chunkSize!,
    features: featuresWord === 0 ? undefined : featuresWord! - 1,
    seed: featureMap === "favor+" ? seed : undefined,
  };
  const config = readDamaged(() => readLinearStateConfig(operation, options), problem("is damaged"));
  const { sizes, kind } = config;
  const statesStart = 4 * (CONFIG_WORDS + SEQUENCE_WORDS * batchSize!);
  const isOfSize = statesStart + bytesOf(config) === copy.length;
  if (sizes.featureDim !== featureDim || sizes.decayDim !== decayDim || !isOfSize) throw problem("is damaged");
  const sequences = Array.from({ length: batchSize! }, (_, index) => {
    const [low, high, openKeys] = header.subarray(CONFIG_WORDS + SEQUENCE_WORDS * index) as unknown as [number, number, number];
    return { length: high * TWO_WORDS + low, openKeys };
  });
  const isDamaged = ({ length, openKeys }: LinearSequence): boolean =>
    !Number.isSafeInteger(length) || openKeys !== (decayDim > 1 ? 0 : length % kind.chunkSize);
  if (sequences.some(isDamaged)) throw problem("is damaged");
  return { options, sequences, states: copy.subarray(statesStart) };
}

/** The result of `read`; throws `damaged` if `read` throws. */
function readDamaged<T>(read: () => T, damaged: RangeError): T {
  try {
    return read();
  } catch {
    throw damaged;
  }
}
