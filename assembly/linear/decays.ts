/**
 * Decays inside a chunk: at position i, position j has the factor exp(G_i − G_j), where G is the sum of decays since the
 * chunk began. Differences first, in float64: exp(G_i) · exp(−G_j) would be 0 · ∞. A decay whose factor is 0 restarts the sums, and
 * all positions before it are cleared.
 */
import { LinearParams } from "../abi/linearParams";
import { Chunk } from "./chunk";
import { Head } from "./head";
import { expAny1, expAny4 } from "../math/expAny";

/** The largest number, in place of a factor that decays above 0 make infinite: infinity times 0 would be NaN. */
const LARGEST = memory.data<f32>([f32.MAX_VALUE]);

@unmanaged
export class Decays {
  /** f64 [chunkSize]: G, since the chunk began, or since the last decay that cleared the state. */
  sums: usize;
  /** i32 [chunkSize]: the last position in the chunk, up to this one, that cleared the state; −1 for none. */
  clears: usize;

  /** Takes in the decays of `count` positions from `first` on, from the chunk's position `at` on. */
  take(p: LinearParams, head: Head, chunk: Chunk, first: usize, count: usize, at: usize): void {
    for (let j: usize = 0; j < count; j++) {
      store<f32>(chunk.decays + ((at + j) << 2), load<f32>(head.decay(p, first + j)));
    }
    this.sumUp(chunk, at, at + count);
  }

  /** Sums of decays at the positions `from` to `to` − 1 of the chunk, from the decays there. */
  sumUp(chunk: Chunk, from: usize, to: usize): void {
    let sum: f64 = from == 0 ? 0 : this.sum(from - 1);
    let clear: i32 = from == 0 ? -1 : load<i32>(this.clears + ((from - 1) << 2));
    for (let j = from; j < to; j++) {
      const decay = load<f32>(chunk.decays + (j << 2));
      if (expAny1(decay) == 0) {
        sum = 0;
        clear = <i32>j;
      } else {
        sum += <f64>decay;
      }
      store<f64>(this.sums + (j << 3), sum);
      store<i32>(this.clears + (j << 2), clear);
    }
  }

  /** G at position `i`. */
  @inline
  sum(i: usize): f64 {
    return load<f64>(this.sums + (i << 3));
  }

  /** First position that is not cleared at position `i`. */
  @inline
  firstKept(i: usize): usize {
    return <usize>max<i32>(0, load<i32>(this.clears + (i << 2)));
  }

  /** The factor at position `i` of the state before the chunk: exactly 0 if it was cleared. */
  factorOfState(i: usize): f32 {
    return load<i32>(this.clears + (i << 2)) >= 0 ? 0 : min(expAny1(<f32>this.sum(i)), load<f32>(LARGEST));
  }

  /** Writes the factors at position `i` of the positions before `end` to `factorsPtr`, in whole vectors. */
  factorsAt(i: usize, end: usize, factorsPtr: usize): void {
    const sum = f64x2.splat(this.sum(i));
    for (let j: usize = 0; j < end; j += 4) v128.store(factorsPtr + (j << 2), factors4(this.sums + (j << 3), sum));
  }

  /** Multiplies the scores of position `i` with the positions before `end` by their factors; 0 for cleared positions. */
  scaleScores(i: usize, scoresPtr: usize, end: usize): void {
    const first = this.firstKept(i);
    const sum = f64x2.splat(this.sum(i));
    let ptr = scoresPtr + ((first & ~3) << 2);
    let sumsPtr = this.sums + ((first & ~3) << 3);
    for (const endPtr = scoresPtr + (end << 2); ptr < endPtr; ptr += 16, sumsPtr += 32) {
      v128.store(ptr, f32x4.mul(v128.load(ptr), factors4(sumsPtr, sum)));
    }
    memory.fill(scoresPtr, 0, first << 2);
  }
}

/** exp(G_i − G_j) of four positions j. */
// @ts-ignore: decorator
@inline
function factors4(sumsPtr: usize, sum: v128): v128 {
  const low = f32x4.demote_f64x2_zero(f64x2.sub(sum, v128.load(sumsPtr)));
  const high = f32x4.demote_f64x2_zero(f64x2.sub(sum, v128.load(sumsPtr, 16)));
  return f32x4.pmin(v128.load32_splat(LARGEST), expAny4(v128.shuffle<f64>(low, high, 0, 2)));
}
