/** How rotary embeddings rotate: the caller's options, read once and checked. */
import type { Call } from "../call/call.js";
import { readOptions } from "../call/readOptions.js";
import { hostNumbers } from "../call/scratch.js";
import { assertUnchanged } from "../call/unchanged.js";
import {
  counted,
  describe,
  integer,
  isAbsent,
  isObject,
  numberFrom,
  oneOf,
  optional,
  show,
  wrongKind,
  wrongValue,
} from "../check.js";
import type { Operand } from "../call/operand.js";
import type { TensorLike } from "../call/tensor.js";
import { type ReadScaling, readScaling, type RopeScaling, type RotaryScaling } from "./rotaryScaling.js";

/** Cosines and sines, as `rotaryTables` returns them: a row for each position. */
export interface RotaryTables {
  /** [positions, rotaryDim / 2] */
  readonly cos: TensorLike;
  /** [positions, rotaryDim / 2] */
  readonly sin: TensorLike;
}

/** What others call the options of rotation. */
export const ROTARY_NAMES = {
  base: "theta",
  scaling: "ropescaling ropeparameters",
  positions: "positionids inputpos",
  offset: "startpos",
  rotaryDim: "dim",
  "rotaryDim, in channels: the factor times headDim": "partialrotaryfactor rotarypct",
  interleaved: "traditional",
  "interleaved, the other way round": "neox",
  inverse: "conjugate",
  "tables, { cos, sin }": "cos sin freqscis",
  length: "max maxlen maxseqlen maxposition",
};

/** How rows are rotated, whatever their layout. */
export interface RotaryConfig {
  /** θ = position · base^(−2i / rotaryDim) for pair i, unless `scaling` changes it. At least 1. Default 10000; not together with `tables`. */
  base?: number | null | undefined;
  /** First channel of each head that is rotated: headDim − rotaryDim rotates the last ones (DeepSeek). Default 0. */
  rotaryStart?: number | null | undefined;
  /** Channels of each head that are rotated; an even number. Default all from rotaryStart on, or twice the width of `tables`. */
  rotaryDim?: number | null | undefined;
  /** Whether pairs are the channels 2i and 2i + 1, instead of i and i + rotaryDim / 2, from rotaryStart on. Default false. */
  interleaved?: boolean | null | undefined;
  /**
   * Scaled frequencies for long sequences: linear, dynamic (NTK), YaRN, Llama 3 or LongRoPE, as { type, factor, … } or as `rope_scaling`
   * stands in a model's config.json. Not together with `tables`. Default unscaled.
   */
  scaling?: RotaryScaling | RopeScaling | null | undefined;
  /** Cosines and sines by position, for angles that are computed in another way. Default those of `base` and `scaling`. */
  tables?: RotaryTables | null | undefined;
}

/**
 * Angles from a base or from tables. Nothing of the caller's is read again.
 * @internal
 */
export interface Rotary {
  readonly rotaryStart: number;
  readonly rotaryDim: number;
  readonly isInterleaved: boolean;
  readonly base: number;
  readonly scaling: ReadScaling | undefined;
  /** [positions, rotaryDim / 2] each, instead of `base` and `scaling`. */
  readonly tables: { readonly cos: Operand; readonly sin: Operand } | undefined;
}

/**
 * Reads how rows are rotated.
 * @internal
 */
export function readRotary(call: Call, config: RotaryConfig, headDim: number): Rotary {
  const { base: givenBase, rotaryStart: givenStart, rotaryDim: givenDim, interleaved = false } = config;
  const { scaling, tables: givenTables } = config;
  const tables = optional(givenTables, (value) => readTables(call, value));
  const other = tables && (["base", "scaling"] as const).find((name) => !isAbsent(config[name]));
  if (other) throw wrongKind(call.operation, `"${other}" cannot be combined with "tables", which already hold the angles`);
  const width = tables?.cos.dims[1];
  const rotaryStart = integer(call.operation, "rotaryStart", givenStart ?? 0, 0, Math.max(0, headDim - 2));
  const rotaryDim = evenDim(call.operation, givenDim ?? (width === undefined ? headDim - rotaryStart : 2 * width), headDim);
  if (rotaryStart + rotaryDim > headDim) {
    const sum = `${rotaryStart} + rotaryDim ${rotaryDim} = ${rotaryStart + rotaryDim}`;
    throw wrongValue(call.operation, `"rotaryStart" ${sum}, expected at most headDim ${headDim}`);
  }
  if (width !== undefined && 2 * width !== rotaryDim) {
    const why = `half of rotaryDim ${rotaryDim}`;
    throw wrongValue(
      call.operation,
      `"tables.cos" has dims ${show(tables!.cos.dims)}, expected ${counted(rotaryDim / 2, "column")} (${why})`,
    );
  }
  const base = readBase(call.operation, givenBase ?? 10000);
  return {
    rotaryStart,
    rotaryDim,
    isInterleaved: oneOf(call.operation, "interleaved", interleaved, [true, false]),
    base,
    scaling: optional(scaling, (given) => readScaling(call.operation, given, { pairs: rotaryDim / 2, base })),
    tables,
  };
}

/** Powers of a larger base would leave float64. */
const MAX_BASE = 1e300;

/**
 * @throws {TypeError} not a number @throws {RangeError} below 1, or above MAX_BASE
 * @internal
 */
export const readBase = (operation: string, base: unknown): number => numberFrom(operation, "base", base, 1, MAX_BASE);

/**
 * An even number of channels.
 * @internal
 */
export function evenDim(operation: string, value: unknown, most: number): number {
  const rotaryDim = integer(operation, "rotaryDim", value, 2, most);
  if (rotaryDim % 2 === 0) return rotaryDim;
  throw wrongValue(operation, `"rotaryDim" must be even, as channels rotate in pairs, got ${rotaryDim}`);
}

function readTables(call: Call, tables: unknown): NonNullable<Rotary["tables"]> {
  if (!isObject(tables)) {
    throw wrongKind(call.operation, `"tables" must be { cos, sin }, got ${describe(tables)}`);
  }
  const { cos: givenCos, sin: givenSin } = tables as Record<string, unknown>;
  const cos = call.numbers("tables.cos", givenCos);
  const sin = call.numbers("tables.sin", givenSin);
  if (cos.dims.length !== 2) {
    throw wrongValue(call.operation, `"tables.cos" has dims ${show(cos.dims)}, expected [positions, rotaryDim / 2]`);
  }
  if (show(sin.dims) !== show(cos.dims)) {
    throw wrongValue(call.operation, `"tables.sin" has dims ${show(sin.dims)}, expected ${show(cos.dims)} (as tables.cos)`);
  }
  return { cos, sin };
}

/**
 * Angles whose tables lie in JavaScript's memory.
 * @internal
 */
export interface HostAngles extends Omit<Rotary, "tables"> {
  readonly tables: { readonly positions: number; readonly cos: Float32Array; readonly sin: Float32Array } | undefined;
}

/** The options that give such angles. */
export interface ReadRotaryConfig {
  readonly rotaryStart: number;
  readonly rotaryDim: number;
  readonly interleaved: boolean;
  /** Undefined with tables. */
  readonly base: number | undefined;
  /** Undefined for unscaled frequencies, and with tables. */
  readonly scaling: ReadScaling | undefined;
  /** Copies; undefined without tables. */
  readonly tables: RotaryTables | undefined;
}

/**
 * The options that give these angles.
 * @internal
 */
export function rotaryConfigOf({ rotaryStart, rotaryDim, isInterleaved, base, scaling, tables }: HostAngles): ReadRotaryConfig {
  const config = { rotaryStart, rotaryDim, interleaved: isInterleaved, scaling };
  if (!tables) return { ...config, base, tables };
  const table = (data: Float32Array): TensorLike => ({ data: data.slice(), dims: [tables.positions, rotaryDim / 2] });
  return { ...config, base: undefined, tables: { cos: table(tables.cos), sin: table(tables.sin) } };
}

const CONFIG_OPTIONS = ["base", "scaling", "rotaryStart", "rotaryDim", "interleaved", "tables"];

/**
 * Reads how a layer or the keys of a cache are rotated.
 * @internal
 */
export function readAngles(call: Call, config: RotaryConfig, headDim: number): HostAngles {
  const known = { name: call.operation, options: CONFIG_OPTIONS, foreign: ROTARY_NAMES };
  const { tables, ...rotary } = readRotary(call, readOptions(known, config, "rotary"), headDim);
  if (!tables) return { ...rotary, tables: undefined };
  const { cos, sin } = tables;
  assertUnchanged(call, [cos, sin]);
  const numbers = { cos: hostNumbers(call, cos), sin: hostNumbers(call, sin) };
  return { ...rotary, tables: { positions: cos.dims[0]!, ...numbers } };
}
