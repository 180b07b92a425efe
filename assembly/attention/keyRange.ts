/**
 * The keys that bounds leave visible (causal, window, sink tokens, lengths), and the walk through the blocks that hold them:
 * keys that bounds hide cost no time.
 */
import { AttentionParams, SequenceParams } from "../abi/attentionParams";
import { BLOCK, floorBlock, floorPanel } from "../tiles/layout";

/** End of the keys that the causal mask and the key length leave to a row at `position`. */
// @ts-ignore: decorator
@inline
function keyLimit(p: AttentionParams, sequence: SequenceParams, position: i32): i32 {
  return max(0, p.causal ? min(sequence.keyLength, position + 1) : sequence.keyLength);
}

// @ts-ignore: decorator
@inline
function windowFrom(p: AttentionParams, position: i32): i32 {
  return p.windowLeft < 0 ? 0 : max(0, position - p.windowLeft);
}

// @ts-ignore: decorator
@inline
function windowTo(p: AttentionParams, limit: i32, position: i32): i32 {
  return p.windowRight < 0 ? limit : min(limit, position + p.windowRight + 1);
}

/**
 * A set of keys [0, sinkEnd) ∪ [from, end) ∪ [extraStart, to) with sinkEnd < from, or sinkEnd = 0. None: to = 0. Without extra keys,
 * which nothing hides, end = extraStart = to.
 *
 *     0       sinkEnd        from            end        extraStart  to
 *     █████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒█████████████████▒▒▒▒▒▒▒▒▒▒██████████████
 */
@unmanaged
export class KeyRange {
  sinkEnd: usize;
  from: usize;
  end: usize;
  extraStart: usize;
  to: usize;

  /** The keys that bounds let row `i` of a sequence see. */
  @inline
  setRow(p: AttentionParams, sequence: SequenceParams, i: i32): void {
    this.setSpan(p, sequence, i, i);
  }

  /** The keys that bounds let any of the rows `first` to `last` see: both ends of the window move with the row. */
  setSpan(p: AttentionParams, sequence: SequenceParams, first: i32, last: i32): void {
    last = min(last, sequence.queryLength - 1);
    let limit = 0;
    let from = 0;
    let to = 0;
    const hasRows = first <= last;
    if (hasRows) {
      limit = keyLimit(p, sequence, last + sequence.queryOffset);
      from = windowFrom(p, first + sequence.queryOffset);
      to = windowTo(p, limit, last + sequence.queryOffset);
    }
    const sinkEnd = min(p.sinkTokens, limit);
    const windowIsEmpty = from >= to;
    const isOneRange = windowIsEmpty || sinkEnd >= from;
    this.sinkEnd = isOneRange ? 0 : sinkEnd;
    this.from = isOneRange ? 0 : from;
    this.end = windowIsEmpty ? sinkEnd : max(to, sinkEnd);
    const seesExtraKeys = hasRows && sequence.extraStart < sequence.extraEnd;
    this.extraStart = seesExtraKeys ? sequence.extraStart : this.end;
    this.to = seesExtraKeys ? sequence.extraEnd : this.end;
  }

  /**
   * Leaves keys from `first` to `end` − 1 only; there are no extra keys. Those before `first` stay if sink tokens after it and the window
   * are apart.
   */
  confine(first: i32, end: i32): void {
    const from = max(this.from, <usize>first);
    const to = min(this.end, <usize>end);
    const sinkEnd = <usize>first < this.sinkEnd ? min(this.sinkEnd, <usize>end) : 0;
    const windowIsEmpty = from >= to;
    this.sinkEnd = windowIsEmpty ? 0 : sinkEnd;
    this.from = windowIsEmpty ? min(<usize>first, sinkEnd) : from;
    this.end = windowIsEmpty ? sinkEnd : to;
    this.extraStart = this.end;
    this.to = this.end;
  }

  /** First key of the first block that holds a key of the range. */
  @inline
  firstBlock(): usize {
    return this.sinkEnd ? 0 : floorBlock(this.from < this.end ? this.from : this.extraStart);
  }

  /** The block after `block`, skipping those that lie between the sink tokens, the window and the extra keys. */
  @inline
  nextBlock(block: usize): usize {
    const next = block + BLOCK;
    return next < this.sinkEnd ? next : max(next, floorBlock(next < this.end ? this.from : this.extraStart));
  }

  /** First key of a block to process; a panel's first. */
  @inline
  firstKey(block: usize): usize {
    return block < this.sinkEnd ? block : max(block, floorPanel(block < this.end ? this.from : this.extraStart));
  }

  /** One past the last key of a block to process. */
  @inline
  endKey(block: usize): usize {
    const next = block + BLOCK;
    return min(next, next > this.extraStart ? this.to : next > this.from ? this.end : this.sinkEnd);
  }

  /** Whether a block holds a key to process. */
  @inline
  reaches(block: usize): bool {
    return this.firstKey(block) < this.endKey(block);
  }
}

/** The rows and keys of one sequence, its lengths and its position. */
// @ts-ignore: decorator
@inline
export function sequenceOf(p: AttentionParams, sequence: usize): SequenceParams {
  return changetype<SequenceParams>(p.sequences + sequence * offsetof<SequenceParams>());
}
