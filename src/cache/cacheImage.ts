/**
 * A cache as bytes: 32-bit words in the machine's byte order, which is little-endian wherever WebAssembly runs today.
 *
 *     magic, version, batchSize, numKvHeads, headDim, valueDim, capacity, policy, window + 1 or 0, sinkTokens, dtype
 *     length, evicted                                                  for each sequence
 *     key scales [rows, numKvHeads], value scales [rows, numKvHeads]   for each piece of each sequence, only for dtype "int8"
 *     k [rows, numKvHeads, headDim], v [rows, numKvHeads, valueDim]    for each piece of each sequence; padded to a whole word
 *
 * Pieces are the keys that are not evicted, PIECE at a time: those of the sink tokens' blocks, then those from `evicted` on.
 */
import type { OwnUint8Array } from "../call/tensor.js";
import { counted, describe, wrongKind, wrongValue, MAX_POSITION, typedArrayName, plainView } from "../check.js";
import { CACHE_TYPES, type CacheConfig, POLICIES, readCacheConfig } from "./cacheConfig.js";
import { BLOCK } from "../runtime/abi.generated.js";
import { blocksOf, type KeySequence, type KeySpan, sinkEndOf } from "./keySequences.js";

/** "HWKV" */
const MAGIC = 0x564b5748;
const VERSION = 1;
const CONFIG_WORDS = 11;
/** No element is rounded to this; sums of products rely on it. */
const MINUS_128 = 0x80;
/** Keys that are copied at once. */
const PIECE = 8 * BLOCK;

/** One thing for the keys and one for the values of consecutive rows. */
interface Pair<T> {
  readonly k: T;
  readonly v: T;
}

/** Rows of keys and values, one after the other: floats, or int8 with the scale of each head's part of a row. */
export interface RowArrays extends Pair<Float32Array | Uint8Array> {
  readonly scales: Pair<Float32Array> | undefined;
}

interface Piece {
  readonly first: number;
  readonly end: number;
  readonly rows: RowArrays;
}

export interface CacheImage {
  readonly config: CacheConfig;
  readonly sequences: readonly { readonly length: number; readonly evicted: number; readonly pieces: readonly Piece[] }[];
}

type Lengths = Pick<KeySequence, "length" | "evicted">;

/** The keys of a sequence that are not evicted, cut into pieces. */
function piecesOf(sequence: Lengths, config: CacheConfig): { first: number; end: number }[] {
  const pieces = [];
  for (const [from, to] of [[0, sinkEndOf(sequence, config)] as const, [sequence.evicted, sequence.length] as const]) {
    for (let first = from; first < to; first += PIECE) pieces.push({ first, end: Math.min(to, first + PIECE) });
  }
  return pieces;
}

/** Where the parts of an image begin, and its size, in bytes. */
function layoutOf(config: CacheConfig, sequences: readonly Lengths[]) {
  const { numKvHeads, headDim, valueDim, dtype } = config;
  const kept = (sequence: Lengths): number => sequence.length - sequence.evicted + sinkEndOf(sequence, config);
  const rows = sequences.reduce((sum, sequence) => sum + kept(sequence), 0) * numKvHeads;
  const isInt8 = dtype === "int8";
  const scalesStart = 4 * (CONFIG_WORDS + 2 * sequences.length);
  const rowsStart = scalesStart + (isInt8 ? 8 * rows : 0);
  const end = rowsStart + rows * (headDim + valueDim) * (isInt8 ? 1 : 4);
  return { isInt8, scalesStart, rowsStart, size: 4 * Math.ceil(end / 4) };
}

/** The rows of each piece as views of an image. */
function* rowsOf(config: CacheConfig, sequences: readonly Lengths[], image: ArrayBuffer) {
  const { numKvHeads, headDim, valueDim } = config;
  const { isInt8, scalesStart, rowsStart } = layoutOf(config, sequences);
  let [scaleByte, rowByte] = [scalesStart, rowsStart];
  const takeScales = (length: number): Float32Array => {
    const scales = new Float32Array(image, scaleByte, length);
    scaleByte += scales.byteLength;
    return scales;
  };
  const takeRows = (length: number): Float32Array | Uint8Array => {
    const rows = isInt8 ? new Uint8Array(image, rowByte, length) : new Float32Array(image, rowByte, length);
    rowByte += rows.byteLength;
    return rows;
  };
  for (const [index, sequence] of sequences.entries()) {
    for (const { first, end } of piecesOf(sequence, config)) {
      const count = (end - first) * numKvHeads;
      const scales = isInt8 ? { k: takeScales(count), v: takeScales(count) } : undefined;
      yield { index, first, end, rows: { k: takeRows(count * headDim), v: takeRows(count * valueDim), scales } };
    }
  }
}

/** @param read  copies the rows of a span to arrays */
export function writeImage(
  config: CacheConfig,
  sequences: readonly KeySequence[],
  read: (span: KeySpan, rows: RowArrays) => void,
): OwnUint8Array {
  const { batchSize, numKvHeads, headDim, valueDim, capacity, policy, window, sinkTokens, dtype } = config;
  const image = new Uint8Array(layoutOf(config, sequences).size);
  const windowWord = window === undefined ? 0 : window + 1;
  const sizes = [batchSize, numKvHeads, headDim, valueDim, capacity];
  new Uint32Array(image.buffer).set([
    ...[MAGIC, VERSION, ...sizes, POLICIES.indexOf(policy), windowWord, sinkTokens, CACHE_TYPES.indexOf(dtype)],
    ...sequences.flatMap(({ length, evicted }) => [length, evicted]),
  ]);
  for (const { index, first, end, rows } of rowsOf(config, sequences, image.buffer)) {
    read({ sequence: sequences[index]!, first, end }, rows);
  }
  return image;
}

/** @throws {RangeError} anything that writeImage did not write */
export function readImage(operation: string, bytes: unknown): CacheImage {
  if (typedArrayName(bytes) !== "Uint8Array") throw wrongKind(operation, `"bytes" must be a Uint8Array, got ${describe(bytes)}`);
  const problem = (what: string): RangeError => wrongValue(operation, `"bytes" ${what}`);
  const damaged = (): RangeError => problem("is damaged");
  const { buffer, length: size } = plainView(bytes as Uint8Array, Uint8Array).slice(); // a copy: aligned, and out of the caller's reach
  if (size < 4 * CONFIG_WORDS || size % 4 !== 0)
    throw problem(`has ${counted(size, "byte")}, too few or cut off for a serialized cache`);
  const header = new Uint32Array(buffer);
  if (header[0] !== MAGIC) throw problem("does not begin like a serialized cache");
  if (header[1] !== VERSION) throw problem(`has version ${header[1]}, expected ${VERSION}`);
  const [batchSize, numKvHeads, headDim, valueDim, capacity, policyWord, windowWord, sinkTokens, typeWord] = header.subarray(2);
  const policy = POLICIES[policyWord!];
  const dtype = CACHE_TYPES[typeWord!];
  if (policy === undefined || dtype === undefined || CONFIG_WORDS + 2 * batchSize! > header.length) throw damaged();
  const config = readCacheConfig(operation, {
    batchSize: batchSize!,
    numKvHeads: numKvHeads!,
    headDim: headDim!,
    valueDim: valueDim!,
    capacity: capacity!,
    policy,
    window: windowWord === 0 ? undefined : windowWord! - 1,
    sinkTokens: sinkTokens!,
    dtype,
  });
  const lengths = Array.from({ length: batchSize! }, (_, index) => ({
    length: header[CONFIG_WORDS + 2 * index]!,
    evicted: header[CONFIG_WORDS + 2 * index + 1]!,
  }));
  const isDamaged = ({ length, evicted }: Lengths): boolean =>
    length > MAX_POSITION ||
    evicted > length ||
    evicted % BLOCK !== 0 ||
    (policy === "append" && (evicted > 0 || length > config.capacity)) ||
    (evicted > 0 && evicted <= blocksOf(config.sinkTokens) * BLOCK);
  if (lengths.some(isDamaged) || layoutOf(config, lengths).size !== size) throw damaged();
  const isScale = (scale: number): boolean => scale >= 0 && scale < Infinity;
  const sequences = lengths.map((sequence) => ({ ...sequence, pieces: [] as Piece[] }));
  for (const { index, ...piece } of rowsOf(config, lengths, buffer)) {
    const { k, v, scales } = piece.rows;
    if (scales && !(scales.k.every(isScale) && scales.v.every(isScale))) throw damaged();
    if (scales && (k.includes(MINUS_128) || v.includes(MINUS_128))) throw damaged();
    sequences[index]!.pieces.push(piece);
  }
  return { config, sequences };
}
