/**
 * Scaled frequencies of rotary embeddings, for sequences longer than those of training, by the names of model configurations: what
 * `rope_scaling` of a config.json says, read once and checked.
 */
import {
  counted,
  describe,
  integer,
  isAbsent,
  isObject,
  listLength,
  MAX_POSITION,
  numberFrom,
  oneOf,
  wrongKind,
  wrongValue,
} from "../check.js";
import { type Given, readOptions } from "../call/readOptions.js";

export const SCALING_TYPES = ["default", "linear", "dynamic", "yarn", "llama3", "longrope"] as const;
/** How frequencies are scaled; "default" leaves them unchanged. */
export type ScalingType = (typeof SCALING_TYPES)[number];

/** How frequencies of rotary embeddings are scaled. `type` says which of the other options have an effect, see docs/semantics.md. */
export interface RotaryScaling {
  /** "linear", "dynamic", "yarn", "llama3" or "longrope"; "default" leaves the frequencies unchanged. */
  readonly type: ScalingType;
  /** How many times longer sequences may be. At least 1. For "yarn" and "longrope", default maxPositionEmbeddings / originalMaxPositionEmbeddings. */
  readonly factor?: number | null | undefined;
  /** Length of the sequences that "dynamic" and "longrope" scale for. In `rotaryTables`, default its `length`. */
  readonly length?: number | null | undefined;
  /** The longest sequence of the model's configuration: for "dynamic" that of training. */
  readonly maxPositionEmbeddings?: number | null | undefined;
  /** The longest sequence of training, for "yarn", "llama3" and "longrope". */
  readonly originalMaxPositionEmbeddings?: number | null | undefined;
  /** Factor on cosines and sines, for "yarn" and "longrope". Default as the type defines it. */
  readonly attentionFactor?: number | null | undefined;
  /** "yarn" leaves pairs unchanged that rotate at least so often within the longest sequence of training. Default 32. */
  readonly betaFast?: number | null | undefined;
  /** "yarn" divides the frequencies of pairs by `factor` that rotate at most so often. Default 1. */
  readonly betaSlow?: number | null | undefined;
  /** Gives "yarn" the default of attentionFactor, with `mscaleAllDim` (DeepSeek). */
  readonly mscale?: number | null | undefined;
  /** See `mscale`. */
  readonly mscaleAllDim?: number | null | undefined;
  /** Whether "yarn" rounds the bounds of its ramp to whole pairs. Default true. */
  readonly truncate?: boolean | null | undefined;
  /** "llama3" divides the frequencies of pairs by `factor` that rotate fewer times within the longest sequence of training. */
  readonly lowFreqFactor?: number | null | undefined;
  /** "llama3" leaves pairs unchanged that rotate more times. */
  readonly highFreqFactor?: number | null | undefined;
  /** "longrope" divides each frequency [rotaryDim / 2] by these, up to the longest sequence of training. */
  readonly shortFactor?: ArrayLike<number> | null | undefined;
  /** The same for longer sequences. */
  readonly longFactor?: ArrayLike<number> | null | undefined;
}

/** The same as `rope_scaling` of a model's config.json has it. */
export interface RopeScaling {
  readonly rope_type?: string | null | undefined;
  readonly type?: string | null | undefined;
  readonly factor?: number | null | undefined;
  readonly length?: number | null | undefined;
  readonly max_position_embeddings?: number | null | undefined;
  readonly original_max_position_embeddings?: number | null | undefined;
  readonly attention_factor?: number | null | undefined;
  readonly beta_fast?: number | null | undefined;
  readonly beta_slow?: number | null | undefined;
  readonly mscale?: number | null | undefined;
  readonly mscale_all_dim?: number | null | undefined;
  readonly truncate?: boolean | null | undefined;
  readonly low_freq_factor?: number | null | undefined;
  readonly high_freq_factor?: number | null | undefined;
  readonly short_factor?: ArrayLike<number> | null | undefined;
  readonly long_factor?: ArrayLike<number> | null | undefined;
}

interface Yarn {
  readonly type: "yarn";
  readonly factor: number;
  readonly originalMaxPositionEmbeddings: number;
  readonly attentionFactor: number | undefined;
  readonly betaFast: number;
  readonly betaSlow: number;
  readonly mscale: number | undefined;
  readonly mscaleAllDim: number | undefined;
  readonly truncate: boolean;
}

interface LongRope {
  readonly type: "longrope";
  /** Undefined only if there is an attentionFactor. */
  readonly factor: number | undefined;
  readonly originalMaxPositionEmbeddings: number;
  readonly attentionFactor: number | undefined;
  readonly length: number;
  readonly shortFactor: readonly number[];
  readonly longFactor: readonly number[];
}

/** Scaling that has been read, with the defaults that are numbers filled in. */
export type ReadScaling =
  | { readonly type: "linear"; readonly factor: number }
  | { readonly type: "dynamic"; readonly factor: number; readonly maxPositionEmbeddings: number; readonly length: number }
  | Yarn
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly originalMaxPositionEmbeddings: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
    }
  | LongRope;

/** What each type reads; the lengths are taken by all, so that they can be added to any `rope_scaling`. */
const READ_BY: Readonly<Record<ScalingType, readonly string[]>> = {
  default: [],
  linear: ["factor"],
  dynamic: ["factor"],
  yarn: ["factor", "attentionFactor", "betaFast", "betaSlow", "mscale", "mscaleAllDim", "truncate"],
  llama3: ["factor", "lowFreqFactor", "highFreqFactor"],
  longrope: ["factor", "attentionFactor", "shortFactor", "longFactor"],
};
const READ_BY_ALL = ["type", "length", "maxPositionEmbeddings", "originalMaxPositionEmbeddings"];
const OPTIONS = [...new Set([...READ_BY_ALL, ...Object.values(READ_BY).flat()])];
/** Our names by those of config.json. */
const OURS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(OPTIONS.map((name) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), name])),
  rope_type: "type",
};
const FOREIGN = {
  '"base" and "rotaryDim" stand beside "scaling"': "theta partialrotaryfactor",
  attentionFactor: "shortmscale longmscale",
};

const MAX_FACTOR = 2 ** 20;
/** Angles stay below 1.5 · 2²⁹ then: kernels reduce no larger ones. */
const LEAST_DIVISOR = 0.75;

/**
 * Reads scaling, by our names or by those of config.json. Each getter is read once.
 *
 * @param pairs   pairs of channels that rotate
 * @param length  the default of its length
 * @returns undefined if it leaves frequencies unchanged
 */
export function readScaling(
  operation: string,
  scaling: unknown,
  { pairs, base, length }: { readonly pairs: number; readonly base: number; readonly length?: number | undefined },
): ReadScaling | undefined {
  const given = inOurNames(operation, scaling);
  const isOldName = (given.type as string | undefined) === "su";
  const type = isOldName ? "longrope" : oneOf(operation, "scaling.type", given.type, SCALING_TYPES);
  const unread = Object.keys(given).find((name) => !READ_BY_ALL.includes(name) && !READ_BY[type].includes(name));
  if (unread !== undefined) {
    const reads = READ_BY[type].length === 0 ? "has no options" : `has the options ${READ_BY[type].join(", ")}`;
    throw wrongKind(operation, `"scaling.${unread}" has no effect: type "${type}" ${reads}`);
  }
  const number = (name: keyof RotaryScaling, least: number, value: unknown = given[name]): number =>
    numberFrom(operation, `scaling.${name}`, value, least, MAX_FACTOR);
  const positions = (name: keyof RotaryScaling, least = 1, value: unknown = given[name]): number =>
    integer(operation, `scaling.${name}`, value, least, MAX_POSITION);
  const optionalNumber = (name: keyof RotaryScaling): number | undefined =>
    name in given ? number(name, LEAST_NUMBER) : undefined;
  switch (type) {
    case "default":
      return undefined;
    case "linear":
      return Object.freeze({ type, factor: number("factor", 1) });
    case "dynamic":
      return Object.freeze({
        ...{ type, factor: number("factor", 1), maxPositionEmbeddings: positions("maxPositionEmbeddings") },
        length: lengthOf(operation, type, given.length ?? length),
      });
    case "llama3": {
      const lowFreqFactor = number("lowFreqFactor", LEAST_NUMBER);
      const highFreqFactor = number("highFreqFactor", LEAST_NUMBER);
      if (highFreqFactor <= lowFreqFactor) {
        throw wrongValue(
          operation,
          `"scaling.highFreqFactor" is ${highFreqFactor}, expected more than lowFreqFactor ${lowFreqFactor}`,
        );
      }
      const originalMaxPositionEmbeddings = positions("originalMaxPositionEmbeddings");
      return Object.freeze({ type, factor: number("factor", 1), originalMaxPositionEmbeddings, lowFreqFactor, highFreqFactor });
    }
  }
  const originalMaxPositionEmbeddings = positions("originalMaxPositionEmbeddings", 2);
  const attentionFactor = optionalNumber("attentionFactor");
  const ratio = (): number => positions("maxPositionEmbeddings", originalMaxPositionEmbeddings) / originalMaxPositionEmbeddings;
  const factor = isAbsent(given.factor) && !isAbsent(given.maxPositionEmbeddings) ? ratio() : given.factor;
  if (type === "yarn") {
    if (base === 1) throw wrongValue(operation, '"scaling" of type "yarn" needs a "base" above 1');
    const [betaFast, betaSlow] = [
      number("betaFast", LEAST_NUMBER, given.betaFast ?? 32),
      number("betaSlow", LEAST_NUMBER, given.betaSlow ?? 1),
    ];
    if (betaFast < betaSlow)
      throw wrongValue(operation, `"scaling.betaFast" is ${betaFast}, expected at least betaSlow ${betaSlow}`);
    const [mscale, mscaleAllDim] = [optionalNumber("mscale"), optionalNumber("mscaleAllDim")];
    if ((mscale === undefined) !== (mscaleAllDim === undefined)) {
      const [missing, other] = mscale === undefined ? ["mscale", "mscaleAllDim"] : ["mscaleAllDim", "mscale"];
      throw wrongKind(operation, `"scaling.${missing}" is missing; "scaling.${other}" needs it`);
    }
    return Object.freeze({
      ...{ type, factor: number("factor", 1, factor), originalMaxPositionEmbeddings, attentionFactor },
      ...{ betaFast, betaSlow, mscale, mscaleAllDim },
      truncate: oneOf(operation, "scaling.truncate", given.truncate ?? true, [true, false]),
    });
  }
  if (isAbsent(factor) && attentionFactor === undefined) {
    throw wrongKind(
      operation,
      '"scaling.factor" is missing; type "longrope" needs it, or "attentionFactor" or "maxPositionEmbeddings"',
    );
  }
  return Object.freeze({
    ...{ type, factor: isAbsent(factor) ? undefined : number("factor", 1, factor), originalMaxPositionEmbeddings, attentionFactor },
    length: lengthOf(operation, type, given.length ?? length),
    shortFactor: divisorsOf(operation, "scaling.shortFactor", given.shortFactor, pairs),
    longFactor: divisorsOf(operation, "scaling.longFactor", given.longFactor, pairs),
  });
}

/** Positive numbers below this are taken for mistakes. */
const LEAST_NUMBER = 2 ** -20;

function inOurNames(operation: string, scaling: unknown): Given<RotaryScaling> {
  if (!isObject(scaling)) throw wrongKind(operation, `"scaling" must be { type, … }, got ${describe(scaling)}`);
  const theirs = Object.keys(scaling).some((name) => name.includes("_")) ? Object.keys(OURS) : [];
  const known = { name: operation, options: [...new Set([...OPTIONS, ...theirs])], foreign: FOREIGN };
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(readOptions(known, scaling as Record<string, unknown>, "scaling"))) {
    const ours = OURS[name] ?? name;
    if (ours in given && given[ours] !== value)
      throw wrongValue(operation, `"scaling" gives ${ours} twice: ${describe(given[ours])} and ${describe(value)}`);
    given[ours] = value;
  }
  return given as unknown as Given<RotaryScaling>;
}

/** The length that decides; keys that were rotated for another one do not fit. */
function lengthOf(operation: string, type: string, length: unknown): number {
  if (isAbsent(length))
    throw wrongKind(operation, `"scaling.length" is missing: the angles of type "${type}" depend on the length of sequences`);
  return integer(operation, "scaling.length", length, 1, MAX_POSITION);
}

function divisorsOf(operation: string, name: string, divisors: unknown, pairs: number): readonly number[] {
  if (!isObject(divisors) || typeof (divisors as { length?: unknown }).length !== "number")
    throw wrongKind(operation, `"${name}" must be an array of ${counted(pairs, "number")}, got ${describe(divisors)}`);
  const length = listLength(operation, name, divisors as ArrayLike<unknown>);
  if (length !== pairs)
    throw wrongValue(operation, `"${name}" holds ${counted(length, "element")}, expected ${pairs}, one for each pair of channels`);
  const elements = divisors as ArrayLike<unknown>;
  return Object.freeze(
    Array.from({ length }, (_, pair) => numberFrom(operation, `${name}[${pair}]`, elements[pair], LEAST_DIVISOR, MAX_FACTOR)),
  );
}
