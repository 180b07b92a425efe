/**
 * Masks as tensors, for patterns without an option of attention and for other libraries: bytes, 1 where a query may attend. All of
 * them broadcast to [batch, numHeads, seqLen, kvLen]. Plain arithmetic: no engine is needed.
 */
import { broadcastDims, eachRow, stridesUnder } from "../call/broadcast.js";
import { bytesOfMask, copyOfNumbers, expectLength, readGiven, wrongData } from "../call/elements.js";
import { readOptions } from "../call/readOptions.js";
import {
  counted,
  integer,
  show,
  wrongValue,
  type Integers,
  integersOf,
  MAX_POSITION,
  typedArrayName,
  typedArrayLength,
  plainView,
  listLength,
  optional,
  isArray,
  elementsOf,
} from "../check.js";
import { MAY_ATTEND } from "./options.js";
import { windowOf } from "./window.js";
import type { MaskLike, OwnUint8Array, ResultTensor } from "../call/tensor.js";

/** Bytes, 1 where a query may attend. */
export interface Mask {
  readonly data: OwnUint8Array;
  readonly dims: readonly number[];
}

/** The positions of the rows. */
export interface MaskOptions {
  /** Position of row 0. Default kvLen − seqLen: the last row has the position of the last key. */
  queryOffset?: number | bigint | null | undefined;
}

/** Options of `windowMask`. */
export interface WindowMaskOptions extends MaskOptions {
  /** Number of first keys that the window does not hide. Default 0. */
  sinkTokens?: number | null | undefined;
}

/** The most rows and keys, and elements of a mask. */
const MAX_ELEMENTS = 2 ** 30;

/**
 * Row i sees no key after its position i + queryOffset, like `causal: true` in attention.
 *
 * @returns [seqLen, kvLen]
 * @throws {TypeError} the wrong kind of value @throws {RangeError} values that do not fit
 *
 * @example
 * import { causalMask } from "headwise";
 *
 * console.log([...causalMask(2, 3).data]); // [ 1, 1, 0, 1, 1, 1 ]
 */
export function causalMask(seqLen: number, kvLen?: number | null, options: MaskOptions = {}): Mask {
  const { dims, offset } = readSizes("causalMask", seqLen, kvLen, options, ["queryOffset"]);
  return build("causalMask", dims, (_, i, row) => row.fill(1, 0, Math.max(0, i + offset + 1)));
}

/**
 * Row i, at position p = i + queryOffset, sees the keys from p − left to p + right, like `window` in attention.
 *
 * @param window  n is [n, n]; −1 is unlimited
 * @returns [seqLen, kvLen]
 * @throws {TypeError} the wrong kind of value @throws {RangeError} values that do not fit
 *
 * @example
 * import { windowMask } from "headwise";
 *
 * console.log([...windowMask(2, 4, [1, 0]).data]); // [ 0, 1, 1, 0, 0, 0, 1, 1 ]
 */
export function windowMask(
  seqLen: number,
  kvLen: number,
  window: number | readonly [number | null | undefined, number | null | undefined],
  options: WindowMaskOptions = {},
): Mask {
  const name = "windowMask";
  const { dims, offset, sinkTokens } = readSizes(name, seqLen, kvLen, options, ["queryOffset", "sinkTokens"]);
  const [before, after] = windowOf(name, window).map((keys) => (keys === -1 ? Infinity : keys)) as [number, number];
  return build(name, dims, (_, i, row) => {
    row.fill(1, 0, sinkTokens);
    row.fill(1, Math.max(0, i + offset - before), Math.max(0, i + offset + after + 1));
  });
}

/**
 * Sequences of different lengths, padded to one: rows see the first `lengths[b]` keys of each, as with `keyLengths` in attention.
 *
 * @returns [batch, 1, 1, kvLen]
 * @throws {TypeError} the wrong kind of value @throws {RangeError} values that do not fit
 *
 * @example
 * import { paddingMask } from "headwise";
 *
 * console.log([...paddingMask([2, 3], 3).data]); // [ 1, 1, 0, 1, 1, 1 ]
 */
export function paddingMask(lengths: Integers, kvLen: number): Mask {
  const keys = integer("paddingMask", "kvLen", kvLen, 0, MAX_ELEMENTS);
  const found = integersOf("paddingMask", "lengths", lengths, undefined, 0, keys);
  return build("paddingMask", [found.length, 1, 1, keys], (b, _, row) => row.fill(1, 0, found[b]));
}

/**
 * Every row sees the prefix, and beyond it only keys up to its position: a prefix LM (Raffel et al. 2020, arXiv:1910.10683).
 *
 * @param prefixLength  for all sequences, or for each [batch]
 * @returns [seqLen, kvLen], or [batch, 1, seqLen, kvLen]
 * @throws {TypeError} the wrong kind of value @throws {RangeError} values that do not fit
 *
 * @example
 * import { prefixMask } from "headwise";
 *
 * console.log([...prefixMask(2, 3).data]); // [ 1, 1, 0, 1, 1, 0, 1, 1, 1 ]
 */
export function prefixMask(
  prefixLength: number | bigint | Integers,
  seqLen: number,
  kvLen?: number | null,
  options: MaskOptions = {},
): Mask {
  const name = "prefixMask";
  const { dims, offset } = readSizes(name, seqLen, kvLen, options, ["queryOffset"]);
  const isEach = typeof prefixLength === "object";
  const lengths = isEach
    ? integersOf(name, "prefixLength", prefixLength, undefined, 0, dims[1])
    : [integer(name, "prefixLength", prefixLength, 0, dims[1])];
  return build("prefixMask", isEach ? [lengths.length, 1, ...dims] : dims, (b, i, row) =>
    row.fill(1, 0, Math.max(lengths[b]!, i + offset + 1)),
  );
}

/**
 * Several documents in one sequence: a row sees the keys of its own document. `andMasks(…, causalMask(…))` makes it causal.
 *
 * @param documentIds  the document of each token [seq], or of each token of each sequence [batch][seq]
 * @returns [seq, seq], or [batch, 1, seq, seq]
 * @throws {TypeError} the wrong kind of value @throws {RangeError} values that do not fit
 *
 * @example
 * import { documentMask } from "headwise";
 *
 * console.log([...documentMask([7, 7, 8]).data]); // [ 1, 1, 0, 1, 1, 0, 0, 0, 1 ]
 */
export function documentMask(documentIds: Integers | readonly Integers[]): Mask {
  const name = "documentMask";
  const sequences = isArray(documentIds) ? listLength(name, "documentIds", documentIds) : 0;
  const isEach = sequences > 0 && typeof documentIds[0] === "object";
  const given: readonly unknown[] = isEach ? Array.from({ length: sequences }, (_, b) => documentIds[b]) : [documentIds];
  const nameOf = (b: number): string => (isEach ? `documentIds[${b}]` : "documentIds");
  const ids = given.map((each, b) => integersOf(name, nameOf(b), each, undefined, -MAX_POSITION, MAX_POSITION));
  const seqLen = ids[0]!.length;
  for (const [b, each] of ids.entries()) {
    if (each.length !== seqLen) {
      throw wrongValue(name, `"${nameOf(b)}" holds ${counted(each.length, "element")}, expected ${seqLen} (as documentIds[0])`);
    }
  }
  return build("documentMask", isEach ? [ids.length, 1, seqLen, seqLen] : [seqLen, seqLen], (b, i, row) => {
    for (let j = 0; j < seqLen; j++) row[j] = Number(ids[b]![i] === ids[b]![j]);
  });
}

/**
 * 1 where all masks are 1, at the sizes to which they broadcast.
 *
 * @throws {TypeError} the wrong kind of value @throws {RangeError} sizes that do not fit
 *
 * @example
 * import { andMasks, causalMask, documentMask } from "headwise";
 *
 * console.log([...andMasks(documentMask([7, 7, 8]), causalMask(3)).data]); // [ 1, 0, 0, 1, 1, 0, 0, 0, 1 ]
 */
export function andMasks(...masks: readonly MaskLike[]): Mask {
  return combine("andMasks", masks, 1, (so, byte) => so & byte);
}

/**
 * 1 where any mask is 1, at the sizes to which they broadcast.
 *
 * @throws {TypeError} the wrong kind of value @throws {RangeError} sizes that do not fit
 *
 * @example
 * import { causalMask, orMasks, paddingMask } from "headwise";
 *
 * console.log(orMasks(causalMask(3), paddingMask([1, 2], 3)).dims); // [ 2, 1, 3, 3 ]
 */
export function orMasks(...masks: readonly MaskLike[]): Mask {
  return combine("orMasks", masks, 0, (so, byte) => so | byte);
}

/**
 * 1 where the mask is 0.
 *
 * @throws {TypeError} the wrong kind of value @throws {RangeError} sizes that do not fit
 *
 * @example
 * import { causalMask, notMask } from "headwise";
 *
 * console.log([...notMask(causalMask(2)).data]); // [ 0, 1, 0, 0 ]
 */
export function notMask(mask: MaskLike): Mask {
  const { data, dims } = readMask("notMask", "mask", mask);
  return { data: data.map((byte) => Number(byte === 0)), dims };
}

/**
 * Scores with −∞ where the mask is 0, for a softmax elsewhere; the mask broadcasts to the sizes of the scores.
 *
 * @returns { type: "float32", data, dims } of the sizes of the scores
 * @throws {TypeError} the wrong kind of value @throws {RangeError} sizes that do not fit
 *
 * @example
 * import { applyMask, causalMask } from "headwise";
 *
 * const scores = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
 * console.log([...applyMask(scores, causalMask(2)).data]); // [ 1, -Infinity, 3, 4 ]
 */
export function applyMask(scores: { readonly data: Float32Array; readonly dims: Integers }, mask: MaskLike): ResultTensor {
  const name = "applyMask";
  const { data, dims } = readScores(name, "scores", scores);
  const { data: bytes, dims: maskDims } = readMask(name, "mask", mask);
  const full = broadcastDims([dims, maskDims]);
  if (full === undefined || show(full) !== show(dims)) {
    throw wrongValue(name, `"mask" has dims ${show(maskDims)}, which do not broadcast to those of scores, ${show(dims)}`);
  }
  const result = Float32Array.from(data);
  eachRow(dims, stridesUnder(maskDims, dims.length), (first, offset, length, step) => {
    for (let j = 0; j < length; j++) if (bytes[offset + j * step] === 0) result[first + j] = -Infinity;
  });
  return { type: "float32", data: result, dims: [...dims] };
}

/** Checks sizes and options; returns [seqLen, kvLen] and the position of row 0. */
function readSizes(
  name: string,
  seqLen: number,
  kvLen: number | null | undefined,
  options: MaskOptions | null | undefined,
  known: readonly string[],
): { dims: [number, number]; offset: number; sinkTokens: number } {
  const rows = integer(name, "seqLen", seqLen, 0, MAX_ELEMENTS);
  const keys = integer(name, "kvLen", kvLen ?? seqLen, 0, MAX_ELEMENTS);
  const { queryOffset, sinkTokens = 0 } = readOptions<WindowMaskOptions>({ name, options: known }, options);
  return {
    dims: [rows, keys],
    offset: optional(queryOffset, (value) => integer(name, "queryOffset", value, -MAX_POSITION, MAX_POSITION)) ?? keys - rows,
    sinkTokens: integer(name, "sinkTokens", sinkTokens, 0, MAX_POSITION),
  };
}

/** Elements of a mask of these sizes. */
function countWithin(name: string, dims: readonly number[]): number {
  const count = elementsOf(name, "mask.dims", dims);
  if (count <= MAX_ELEMENTS) return count;
  throw wrongValue(name, `a mask of dims ${show(dims)} has ${count} elements, expected at most ${MAX_ELEMENTS}`);
}

/** A mask of these sizes; `fill` fills its rows of keys: row i of sequence b. */
function build(name: string, dims: readonly number[], fill: (b: number, i: number, row: Uint8Array) => void): Mask {
  const [rows, keys] = dims.slice(-2) as [number, number];
  const data = new Uint8Array(countWithin(name, dims));
  for (let row = 0; (row + 1) * keys <= data.length && keys > 0; row++) {
    fill(Math.floor(row / rows), row % rows, data.subarray(row * keys, (row + 1) * keys));
  }
  return { data, dims };
}

function combine(name: string, masks: readonly MaskLike[], neutral: number, join: (so: number, byte: number) => number): Mask {
  if (masks.length === 0) throw wrongValue(name, "masks are missing, expected at least 1");
  const read = masks.map((mask, index) => readMask(name, `masks[${index}]`, mask));
  const dims = broadcastDims(read.map((mask) => mask.dims));
  if (dims === undefined) {
    throw wrongValue(name, `masks of dims ${read.map((mask) => show(mask.dims)).join(" and ")} do not broadcast to one another`);
  }
  const result = new Uint8Array(countWithin(name, dims)).fill(neutral);
  for (const { data, dims: maskDims } of read) {
    eachRow(dims, stridesUnder(maskDims, dims.length), (first, offset, length, step) => {
      for (let j = 0; j < length; j++) result[first + j] = join(result[first + j]!, Number(data[offset + j * step] !== 0));
    });
  }
  return { data: result, dims };
}

/** Reads a mask; each getter of the caller's object is read once. */
function readMask(name: string, argument: string, mask: unknown): { data: Uint8Array; dims: readonly number[] } {
  const given = readGiven(name, argument, mask);
  countWithin(name, given.dims);
  const bytes = bytesOfMask(name, given, MAY_ATTEND);
  expectLength(name, argument, typedArrayLength(bytes), given.dims);
  return { data: plainView(bytes, Uint8Array), dims: given.dims };
}

/** Reads scores; each getter of the caller's object is read once. */
function readScores(name: string, argument: string, scores: unknown): { data: Float32Array; dims: readonly number[] } {
  const given = readGiven(name, argument, scores);
  countWithin(name, given.dims);
  const { data, dims } = given;
  if (typedArrayName(data) !== "Float32Array") throw wrongData(name, given, "a Float32Array");
  const numbers = given.offset === undefined ? (data as Float32Array) : copyOfNumbers(name, given);
  expectLength(name, argument, typedArrayLength(numbers), dims);
  return { data: plainView(numbers, Float32Array), dims };
}
