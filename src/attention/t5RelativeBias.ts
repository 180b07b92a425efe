/** The relative position bias of T5. Raffel et al. 2020, arXiv:1910.10683, section 2.1. Plain arithmetic: no engine is needed. */
import { copyOfNumbers, readGiven, wrongData } from "../call/elements.js";
import { readOptions } from "../call/readOptions.js";
import { counted, integer, MAX_POSITION, oneOf, show, typedArrayName, wrongValue } from "../check.js";
import type { ResultTensor, TensorLike } from "../call/tensor.js";

/** Options of `t5RelativeBias`. */
export interface T5RelativeBiasOptions {
  /** The longest sequence: the bias has the distances −(length − 1) to length − 1. */
  length: number;
  /** Whether half of the buckets are for keys after the row, as in encoders; in decoders all are for keys before it. Default true. */
  bidirectional?: boolean | null | undefined;
  /** Distances from here on share the last bucket. Default 128. */
  maxDistance?: number | null | undefined;
}

const T5_RELATIVE_BIAS = {
  name: "t5RelativeBias",
  options: ["length", "bidirectional", "maxDistance"],
  foreign: { maxDistance: "relativeattentionmaxdistance", length: "querylength keylength maxlength" },
};

const EMBEDDING = 'a Float32Array, Float64Array or array of numbers, or a Uint16Array with type "bfloat16"';

/** Borders of buckets are found in exact arithmetic, whose numbers grow with the buckets. */
const MAX_BUCKETS = 1024;
/** The most elements of a bias: 1 GiB. */
const MAX_ELEMENTS = 2 ** 28;

/**
 * The bias of T5 for each distance, for `relativeBias` in attention: small distances have a bucket each, larger ones share buckets that
 * widen with the logarithm of the distance. T5 attends at `scale: 1`.
 *
 * @param embedding  [buckets, numHeads], the model's relative_attention_bias.weight
 * @returns { type: "float32", data, dims } with dims [numHeads, 2 · length − 1]
 * @throws {TypeError} the wrong kind of value, or an unknown option @throws {RangeError} values that do not fit
 *
 * @example
 * import { t5RelativeBias } from "headwise";
 *
 * const embedding = { data: Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7), dims: [8, 1] }; // of one head
 * console.log([...t5RelativeBias(embedding, { length: 4 }).data]); // [ 2, 2, 1, 0, 5, 6, 6 ]
 */
export function t5RelativeBias(embedding: TensorLike, options: T5RelativeBiasOptions): ResultTensor {
  const { name } = T5_RELATIVE_BIAS;
  const { length: givenLength, bidirectional = true, maxDistance = 128 } = readOptions(T5_RELATIVE_BIAS, options);
  const length = integer(name, "length", givenLength, 1, MAX_POSITION);
  const isBothWays = oneOf(name, "bidirectional", bidirectional, [true, false]);
  const given = readGiven(name, "embedding", embedding);
  const [buckets, numHeads] = given.dims;
  if (buckets === undefined || numHeads === undefined || given.dims.length > 2) {
    throw wrongValue(name, `"embedding" has dims ${show(given.dims)}, expected [buckets, numHeads]`);
  }
  const least = isBothWays ? 4 : 2;
  if (buckets < least || buckets > MAX_BUCKETS || (isBothWays && buckets % 2 === 1)) {
    const expected = `${isBothWays ? "an even number" : "a number"} from ${least} to ${MAX_BUCKETS}`;
    throw wrongValue(name, `"embedding" has ${counted(buckets, "bucket")}, expected ${expected} (dims ${show(given.dims)})`);
  }
  const inDirection = isBothWays ? buckets / 2 : buckets;
  const most = integer(name, "maxDistance", maxDistance, Math.floor(inDirection / 2) + 1, MAX_POSITION);
  const distances = 2 * length - 1;
  if (numHeads * distances > MAX_ELEMENTS) {
    throw wrongValue(name, `a bias of dims ${show([numHeads, distances])} has more than ${MAX_ELEMENTS} elements`);
  }
  if (given.type === "float16" || typedArrayName(given.data) === "Float16Array") throw wrongData(name, given, EMBEDDING);
  const numbers = copyOfNumbers(name, given);

  const firsts = firstDistances(inDirection, most);
  const data = new Float32Array(numHeads * distances);
  const fill = (bucket: number, from: number, end: number): void => {
    for (let h = 0; h < numHeads; h++) data.fill(numbers[bucket * numHeads + h]!, h * distances + from, h * distances + end);
  };
  for (const [bucket, first] of firsts.entries()) {
    const [near, far] = [Math.min(first, length), Math.min(firsts[bucket + 1] ?? length, length)];
    fill(bucket, length - far, length - near); // keys before the row, and at it
    if (isBothWays) fill(inDirection + bucket, length - 1 + Math.max(near, 1), length - 1 + Math.max(far, 1));
  }
  if (!isBothWays) fill(0, length, distances);
  return { type: "float32", data, dims: [numHeads, distances] };
}

/**
 * The smallest distance of each bucket. The first half are distances themselves; of the rest, bucket e + t begins where
 * ln(distance / e) / ln(maxDistance / e) reaches t / (buckets − e), e = ⌊buckets / 2⌋. Powers of integers say exactly where.
 */
function firstDistances(buckets: number, maxDistance: number): number[] {
  const exact = Math.floor(buckets / 2);
  const rest = buckets - exact;
  const firsts = Array.from({ length: exact + 1 }, (_, distance) => distance);
  for (let t = 1; t < rest; t++) {
    const border = BigInt(maxDistance) ** BigInt(t) * BigInt(exact) ** BigInt(rest - t);
    let [below, reached] = [firsts.at(-1)! - 1, maxDistance];
    while (reached - below > 1) {
      const middle = Math.floor((below + reached) / 2);
      if (BigInt(middle) ** BigInt(rest) >= border) reached = middle;
      else below = middle;
    }
    firsts.push(reached);
  }
  return firsts;
}
