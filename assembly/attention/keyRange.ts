/**
 * The keys that bounds leave visible (causal, window, sink tokens, lengths), and the walk through the blocks that hold them: what
 * bounds hide costs no time.
 */
import { AttentionParams, SequenceParams } from "../abi/attentionParams";
import { BLOCK, floorBlock, floorPanel } from "../tiles/layout";

/** Keys before this one the causal mask and the key length leave to a row at `position`. */
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
 * A set of keys [0, sinkEnd) ∪ [from, to) with sinkEnd < from, or sinkEnd = 0. None: to = 0.
 *
 *     0       sinkEnd        from            to
 *     █████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒█████████████████
 */
@unmanaged
export class KeyRange {
  sinkEnd: usize;
  from: usize;
  to: usize;

  /** The keys that row `i` of a sequence may see, as far as bounds say it. */
  @inline
  setRow(p: AttentionParams, sequence: SequenceParams, i: i32): void {
    this.setSpan(p, sequence, i, i);
  }

  /** The keys that any of the rows `first` to `last` may see: both ends of the window move with the row. */
  setSpan(p: AttentionParams, sequence: SequenceParams, first: i32, last: i32): void {
    last = min(last, sequence.queryLength - 1);
    let limit = 0;
    let from = 0;
    let to = 0;
    if (first <= last) {
      limit = keyLimit(p, sequence, last + sequence.queryOffset);
      from = windowFrom(p, first + sequence.queryOffset);
      to = windowTo(p, limit, last + sequence.queryOffset);
    }
    const sinkEnd = min(p.sinkTokens, limit);
    const windowIsEmpty = from >= to;
    const isOneRange = windowIsEmpty || sinkEnd >= from;
    this.sinkEnd = isOneRange ? 0 : sinkEnd;
    this.from = isOneRange ? 0 : from;
    this.to = windowIsEmpty ? sinkEnd : max(to, sinkEnd);
  }

  /** First key of the first block that holds a key of the range. */
  @inline
  firstBlock(): usize {
    return this.sinkEnd ? 0 : floorBlock(this.from);
  }

  /** The block after `block`, leaving out those that lie between the sink tokens and the window. */
  @inline
  nextBlock(block: usize): usize {
    const next = block + BLOCK;
    return next < this.sinkEnd ? next : max(next, floorBlock(this.from));
  }

  /** First key to work on in a block; a panel's first. */
  @inline
  firstKey(block: usize): usize {
    return block < this.sinkEnd ? block : max(block, floorPanel(this.from));
  }

  /** One past the last key to work on in a block. */
  @inline
  endKey(block: usize): usize {
    return min(block + BLOCK, block + BLOCK > this.from ? this.to : this.sinkEnd);
  }

  /** Whether a block holds a key to work on. */
  @inline
  reaches(block: usize): bool {
    return this.firstKey(block) < this.endKey(block);
  }
}

/** Where one sequence lies, its lengths and its position. */
// @ts-ignore: decorator
@inline
export function sequenceOf(p: AttentionParams, sequence: usize): SequenceParams {
  return changetype<SequenceParams>(p.sequences + sequence * offsetof<SequenceParams>());
}
