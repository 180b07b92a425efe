/**
 * Decays inside a chunk: what position j has left of itself at position i is exp(G_i − G_j), G the sum of decays since the chunk
 * began. Differences first, in float64: exp(G_i) · exp(−G_j) would be 0 · ∞. A decay whose factor is 0 begins the sums anew, and what
 * lies before it is gone.
 */
import { expOfAny1, expOfAny4 } from "../math/expOfAny";
import { LinearWork } from "./workspace";

/** Sum of decays at position `i` of the chunk. */
// @ts-ignore: decorator
@inline
export function decaySum(work: LinearWork, i: usize): f64 {
  return load<f64>(work.decaySums + (i << 3));
}

/** First position of the chunk that is not gone at position `i`. */
// @ts-ignore: decorator
@inline
export function firstLeft(work: LinearWork, i: usize): usize {
  return <usize>max<i32>(0, load<i32>(work.clears + (i << 2)));
}

/** A factor that decays above 0 have made infinite is the largest number instead: infinity times what is still 0 would be NaN. */
const LARGEST = memory.data<f32>([f32.MAX_VALUE]);

/** What is left at position `i` of the state before the chunk; exactly 0 where it was cleared. */
export function factorOfState(work: LinearWork, i: usize): f32 {
  return load<i32>(work.clears + (i << 2)) >= 0 ? 0 : min(expOfAny1(<f32>decaySum(work, i)), load<f32>(LARGEST));
}

/** exp(G_i − G_j) of four positions. */
// @ts-ignore: decorator
@inline
export function factors4(sumsPtr: usize, sum: v128): v128 {
  const low = f32x4.demote_f64x2_zero(f64x2.sub(sum, v128.load(sumsPtr)));
  const high = f32x4.demote_f64x2_zero(f64x2.sub(sum, v128.load(sumsPtr, 16)));
  return f32x4.pmin(v128.load32_splat(LARGEST), expOfAny4(v128.shuffle<f64>(low, high, 0, 2)));
}

/** Multiplies the scores of position `i` with the positions up to `end` − 1 by what is left of these; those that are gone become 0. */
export function decayScores(work: LinearWork, i: usize, scoresPtr: usize, end: usize): void {
  const first = firstLeft(work, i);
  const sum = f64x2.splat(decaySum(work, i));
  let ptr = scoresPtr + ((first & ~3) << 2);
  let sumsPtr = work.decaySums + ((first & ~3) << 3);
  for (const endPtr = scoresPtr + (end << 2); ptr < endPtr; ptr += 16, sumsPtr += 32) {
    v128.store(ptr, f32x4.mul(v128.load(ptr), factors4(sumsPtr, sum)));
  }
  memory.fill(scoresPtr, 0, first << 2);
}
