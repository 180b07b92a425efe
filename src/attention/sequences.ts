/** The sequences of a call: where their rows and keys lie, how many are valid, and their positions. */
import type { AttentionOptions } from "./options.js";
import type { Given } from "../call/readOptions.js";
import { boundaries } from "../call/boundaries.js";
import { counted, type Integers, integer, integersOf, isAbsent, isNumeric, MAX_POSITION, wrongValue } from "../check.js";
import type { SequenceParams } from "../runtime/abi.generated.js";
import type { Masks } from "./maskOptions.js";
import type { AttentionShape } from "./shape.js";

/** The options that describe sequences. */
type SequenceOptions = Pick<
  AttentionOptions,
  "queryOffset" | "queryLengths" | "keyLengths" | "keyStarts" | "cuSeqlensQ" | "cuSeqlensK"
>;

type Sequence = { -readonly [Field in keyof SequenceParams]: SequenceParams[Field] };

/**
 * Reads the sequences of a call; a call without query rows has none, whatever its batch.
 *
 * @param masks          the keys of each entry that mask and bias cover
 * @param cachedLengths  keys of each sequence in the cache
 * @param extraKeys      keys that every row sees, after all those of an entry; the shape and the lengths exclude them
 * @internal
 */
export function sequencesOf(
  operation: string,
  options: Given<SequenceOptions>,
  shape: AttentionShape,
  isUpperLeft: boolean,
  masks: Pick<Masks, "maskStart" | "coveredEnd">,
  cachedLengths: readonly number[] | undefined,
  extraKeys: number,
): SequenceParams[] {
  const { queryOffset, queryLengths, keyLengths, keyStarts, cuSeqlensQ, cuSeqlensK } = options;
  const lengths = { queryLengths, keyLengths, keyStarts, cuSeqlensQ, cuSeqlensK };
  const isPacked = !isAbsent(cuSeqlensQ) || !isAbsent(cuSeqlensK);
  const sequences = isPacked ? packed(operation, lengths, shape) : padded(operation, lengths, shape, cachedLengths);
  const count = isPacked ? sequences.length : shape.batchSize;
  const offset = (value: number | bigint): number => integer(operation, "queryOffset", value, -MAX_POSITION, MAX_POSITION);
  const shared = isNumeric(queryOffset) ? offset(queryOffset) : undefined;
  const offsets =
    shared !== undefined
      ? sequences.map(() => shared)
      : optionalIntegers(operation, "queryOffset", queryOffset as Integers | undefined, count, -MAX_POSITION, MAX_POSITION);

  for (let index = 0; index < sequences.length; index++) {
    const sequence = sequences[index]!;
    const origin = isPacked ? 0 : sequence.keyStart; // position of its first key
    if (offsets) sequence.queryOffset = offsets[index]! - origin;
    else if (isUpperLeft) sequence.queryOffset = -origin;
    const coveredKeys = masks.coveredEnd(sequence.batch) - sequence.keyStart;
    sequence.keyLength = Math.max(0, Math.min(sequence.keyLength, coveredKeys));
    sequence.maskStart = masks.maskStart(sequence.batch) - sequence.keyStart;
    if (extraKeys > 0) {
      sequence.extraStart = shape.kvLen - sequence.keyStart;
      sequence.extraEnd = sequence.extraStart + extraKeys;
    }
  }
  return sequences;
}

/** A sequence for each batch entry; its last row has the position of its last key. */
function padded(
  operation: string,
  options: Given<SequenceOptions>,
  { batchSize, seqLen, kvLen }: AttentionShape,
  cachedLengths: readonly number[] | undefined,
): Sequence[] {
  const read = (name: "queryLengths" | "keyLengths" | "keyStarts", most: number): number[] | undefined =>
    optionalIntegers(operation, name, options[name], batchSize, 0, most);
  const queryLengths = read("queryLengths", seqLen);
  const keyLengths = read("keyLengths", kvLen);
  const keyStarts = read("keyStarts", kvLen);
  const sequences: Sequence[] = [];
  if (seqLen === 0) return sequences;
  for (let batch = 0; batch < batchSize; batch++) {
    const queryLength = queryLengths?.[batch] ?? seqLen;
    const keyStart = keyStarts?.[batch] ?? 0;
    const keyEnd = cachedLengths?.[batch] ?? kvLen;
    const keyLength = Math.max(0, (keyLengths?.[batch] ?? keyEnd) - keyStart);
    sequences.push({
      batch,
      queryStart: 0,
      queryRows: seqLen,
      queryLength,
      queryOffset: keyLength - queryLength,
      keyStart,
      keyRows: keyEnd - keyStart,
      keyLength,
      extraStart: keyEnd - keyStart,
      extraEnd: keyEnd - keyStart,
      maskStart: 0, // this depends on the mask
    });
  }
  return sequences;
}

/** The sequences packed in one batch entry. */
function packed(operation: string, options: SequenceOptions, shape: AttentionShape): Sequence[] {
  const { cuSeqlensQ, cuSeqlensK } = options;
  if (isAbsent(cuSeqlensQ)) throw wrongValue(operation, '"cuSeqlensK" needs "cuSeqlensQ"');
  for (const name of ["queryLengths", "keyLengths", "keyStarts"] as const) {
    if (isAbsent(options[name])) continue;
    throw wrongValue(operation, `"${name}" is for padded sequences and cannot be combined with "cuSeqlensQ"`);
  }
  if (shape.batchSize !== 1) {
    throw wrongValue(operation, `"cuSeqlensQ" packs sequences into a batch of 1, but q has batch ${shape.batchSize}`);
  }
  const queries = boundaries(operation, "cuSeqlensQ", cuSeqlensQ, shape.seqLen, "seqLen");
  const keys = isAbsent(cuSeqlensK) ? queries : boundaries(operation, "cuSeqlensK", cuSeqlensK, shape.kvLen, "kvLen");
  if (isAbsent(cuSeqlensK) && shape.kvLen !== shape.seqLen) {
    throw wrongValue(operation, `"cuSeqlensK" is missing: k has ${counted(shape.kvLen, "row")}, but q has ${shape.seqLen}`);
  }
  if (keys.length !== queries.length) {
    throw wrongValue(
      operation,
      `"cuSeqlensK" holds ${counted(keys.length, "element")}, expected ${queries.length}, as in cuSeqlensQ`,
    );
  }
  return queries.slice(1).map((queryEnd, index) => {
    const [queryStart, keyStart] = [queries[index]!, keys[index]!];
    const [rows, keyRows] = [queryEnd - queryStart, keys[index + 1]! - keyStart];
    return {
      ...{ batch: 0, queryStart, queryRows: rows, queryLength: rows, queryOffset: keyRows - rows },
      ...{ keyStart, keyRows, keyLength: keyRows, extraStart: keyRows, extraEnd: keyRows, maskStart: 0 },
    };
  });
}

const optionalIntegers = (
  operation: string,
  name: string,
  values: Integers | undefined,
  count: number,
  least: number,
  most: number,
): number[] | undefined => (isAbsent(values) ? undefined : integersOf(operation, name, values, count, least, most));
