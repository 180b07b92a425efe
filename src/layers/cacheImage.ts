/**
 * A cache as bytes: 32-bit words in the order of the machine's, little-endian on all that run WebAssembly engines today.
 *
 *     magic, version, batchSize, numKvHeads, headDim, valueDim, capacity, policy, window + 1 or 0, sinkTokens
 *     length, evicted                                              for each sequence
 *     k [rows, numKvHeads, headDim], v [rows, numKvHeads, valueDim]   for each piece of each sequence
 *
 * Pieces are the keys that are there, PIECE at a time: those of the sink tokens' blocks, then those from `evicted` on.
 */
import { describe, wrongKind, wrongValue } from "../check.js";
import { MAX_POSITION } from "../ops/attentionCall.js";
import { type CacheConfig, readCacheConfig } from "./cacheConfig.js";
import { BLOCK, blocksOf, type KeySequence, type KeySpan } from "./keySequences.js";

/** "HWKV" */
const MAGIC = 0x564b5748;
const VERSION = 1;
const CONFIG_WORDS = 10;
/** Keys that are copied at once. */
const PIECE = 8 * BLOCK;
const POLICIES = ["append", "rolling"] as const;

/** Rows of keys and values, one after the other. */
export interface RowArrays {
  readonly k: Float32Array;
  readonly v: Float32Array;
}

interface Piece {
  readonly first: number;
  readonly end: number;
  readonly rows: RowArrays;
}

interface CacheImage {
  readonly config: CacheConfig;
  readonly sequences: readonly { readonly length: number; readonly evicted: number; readonly pieces: readonly Piece[] }[];
}

type Lengths = Pick<KeySequence, "length" | "evicted">;

/** The keys of a sequence that are there, cut into pieces. */
function piecesOf({ length, evicted }: Lengths, { sinkTokens }: CacheConfig): { first: number; end: number }[] {
  const ranges = evicted > 0 ? [[0, blocksOf(sinkTokens) * BLOCK] as const, [evicted, length] as const] : [[0, length] as const];
  const pieces = [];
  for (const [from, to] of ranges) {
    for (let first = from; first < to; first += PIECE) pieces.push({ first, end: Math.min(to, first + PIECE) });
  }
  return pieces;
}

const rowWords = ({ numKvHeads, headDim, valueDim }: CacheConfig): number => numKvHeads * (headDim + valueDim);

/** The rows of each piece as views of `words`, from word `start` on. */
function* rowsOf(config: CacheConfig, sequences: readonly Lengths[], words: Float32Array, start: number) {
  let word = start;
  const take = (count: number): Float32Array => words.subarray(word, (word += count));
  for (const [index, sequence] of sequences.entries()) {
    for (const { first, end } of piecesOf(sequence, config)) {
      const count = (end - first) * config.numKvHeads;
      yield { index, first, end, rows: { k: take(count * config.headDim), v: take(count * config.valueDim) } };
    }
  }
}

const wordsOf = (config: CacheConfig, sequences: readonly Lengths[]): number => {
  const kept = ({ length, evicted }: Lengths): number => length - (evicted > 0 ? evicted - blocksOf(config.sinkTokens) * BLOCK : 0);
  const rows = sequences.reduce((sum, sequence) => sum + kept(sequence), 0);
  return CONFIG_WORDS + 2 * sequences.length + rows * rowWords(config);
};

/** @param read  copies the rows of a span to a place */
export function writeImage(
  config: CacheConfig,
  sequences: readonly KeySequence[],
  read: (span: KeySpan, place: RowArrays) => void,
): Uint8Array {
  const { batchSize, numKvHeads, headDim, valueDim, capacity, policy, window, sinkTokens } = config;
  const words = new Float32Array(wordsOf(config, sequences));
  const header = new Uint32Array(words.buffer);
  const windowWord = window === undefined ? 0 : window + 1;
  const sizes = [batchSize, numKvHeads, headDim, valueDim, capacity, POLICIES.indexOf(policy), windowWord, sinkTokens];
  header.set([MAGIC, VERSION, ...sizes, ...sequences.flatMap(({ length, evicted }) => [length, evicted])]);
  for (const { index, first, end, rows } of rowsOf(config, sequences, words, CONFIG_WORDS + 2 * batchSize)) {
    read({ sequence: sequences[index]!, first, end }, rows);
  }
  return new Uint8Array(words.buffer);
}

/** @throws {RangeError} anything that writeImage did not write */
export function readImage(operation: string, bytes: unknown): CacheImage {
  if (Object.prototype.toString.call(bytes) !== "[object Uint8Array]")
    throw wrongKind(operation, `"bytes" must be a Uint8Array, got ${describe(bytes)}`);
  const problem = (what: string): RangeError => wrongValue(operation, `"bytes" ${what}`);
  const { buffer, length: size } = new Uint8Array(bytes as Uint8Array); // a copy: aligned, and the caller's no more
  if (size < 4 * CONFIG_WORDS || size % 4 !== 0) throw problem(`hold ${size} bytes, which is no cache`);
  const header = new Uint32Array(buffer);
  if (header[0] !== MAGIC) throw problem("do not begin as a cache does");
  if (header[1] !== VERSION) throw problem(`are of version ${header[1]}, expected ${VERSION}`);
  const [batchSize, numKvHeads, headDim, valueDim, capacity, policyWord, windowWord, sinkTokens] = header.subarray(2, CONFIG_WORDS);
  const policy = POLICIES[policyWord!];
  const start = CONFIG_WORDS + 2 * batchSize!;
  if (policy === undefined || start > header.length) throw problem("are damaged");
  const config = readCacheConfig(operation, {
    batchSize: batchSize!,
    numKvHeads: numKvHeads!,
    headDim: headDim!,
    valueDim: valueDim!,
    capacity: capacity!,
    policy,
    window: windowWord === 0 ? undefined : windowWord! - 1,
    sinkTokens: sinkTokens!,
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
  if (lengths.some(isDamaged) || wordsOf(config, lengths) !== header.length) throw problem("are damaged");
  const sequences = lengths.map((sequence) => ({ ...sequence, pieces: [] as Piece[] }));
  for (const { index, ...piece } of rowsOf(config, lengths, new Float32Array(buffer), start)) sequences[index]!.pieces.push(piece);
  return { config, sequences };
}
