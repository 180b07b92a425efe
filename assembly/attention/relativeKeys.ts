/**
 * Keys of distances: a score gets a second product, of the query and the key that belongs to the distance of key j from the row's position.
 * Shaw, Uszkoreit & Vaswani 2018, arXiv:1803.02155; Dai et al. 2019 (Transformer-XL), arXiv:1901.02860.
 *
 *     s_j ← s_j + q · r[clamp(j − position + zero)]
 *
 * The rows of a strip stand side by side, so their keys of distances are nearly the same: one product of the strip with a run of them,
 * from which each row takes its own part. No array of all pairs is ever in memory.
 *
 *     products of row 0     r−1  r0  r1  r2  r3  …       position p       reads from r0 on
 *     products of row 1     r−1  r0  r1  r2  …           position p + 1   reads from r−1 on
 */
import { AttentionParams } from "../abi/attentionParams";
import { multiplyStrip } from "../tiles/multiplyStrip";
import { packKeys } from "../tiles/pack";
import { floorPanel, MAX_STRIP_ROWS, PANEL, ROW_BYTES, wholeLines } from "../tiles/layout";
import { Row, Strip } from "./strip";

/** Keys of which products are made at a time: with the distances of the strip's other rows they fit in a row of scores. */
const KEYS: usize = 256;
/** Keys of distances that are packed at a time, when they are first needed. */
const RUN: usize = 64;

/** The packed keys of distances of the query heads in progress, and products of a strip with them. */
@unmanaged
export class RelativePanels {
  /** [MAX_STRIP_ROWS, BLOCK] */
  products: usize;
  /** [heads, ⌈keyDistances / 8⌉, headDim, 8] */
  private panels: usize;
  /** u8[heads, ⌈keyDistances / RUN⌉]: whether a run of them is packed. */
  private states: usize;
  /** The first head that is packed. */
  private firstHead: usize;

  @inline
  forget(): void {
    this.firstHead = -1;
  }

  /** Goes to the query heads of a key/value head. */
  seek(p: AttentionParams, kvHead: usize): void {
    const firstHead = p.relativeKeysHeadStride ? kvHead * (p.numHeads / p.numKvHeads) : 0;
    if (this.firstHead == firstHead) return;
    this.firstHead = firstHead;
    memory.fill(this.states, 0, <usize>statesBytes(p));
  }

  /** Lays out the parts from `ptr` on; returns the end. */
  @inline
  static layOut(p: AttentionParams, ptr: u64, panels: RelativePanels, isPlaced: bool): u64 {
    const panelsPtr = ptr + <u64>(MAX_STRIP_ROWS * ROW_BYTES);
    const states = panelsPtr + wholeLines(<u64>headsOf(p) * headBytes(p));
    if (isPlaced) {
      panels.products = <usize>ptr;
      panels.panels = <usize>panelsPtr;
      panels.states = <usize>states;
      panels.forget();
    }
    return states + wholeLines(statesBytes(p));
  }

  /**
   * Adds the products of a strip's rows with the keys of distances to the scores of the keys `firstKey` to `endKey` − 1. Extra keys have
   * no position.
   */
  add(p: AttentionParams, strip: Strip, firstKey: usize, endKey: usize, scoresPtr: usize): void {
    endKey = min(endKey, strip.sequence.extraStart);
    for (let key = firstKey; key < endKey; key += KEYS) {
      const end = min(key + KEYS, endKey);
      const rowScores = scoresPtr + ((key - firstKey) << 2);
      if (p.relativeKeysHeadStride && p.numHeads != p.numKvHeads) {
        // Each row has another query head, and so other keys of distances.
        for (let r: usize = 0; r < strip.numRows; r++) this.addRows(p, strip, r, 1, 1, key, end, rowScores);
      } else {
        this.addRows(p, strip, 0, strip.numRows, strip.tileRows, key, end, rowScores);
      }
    }
  }

  /** The same for rows of one head, by a tile of `tileRows` rows. */
  private addRows(
    p: AttentionParams,
    strip: Strip,
    firstRow: usize,
    numRows: usize,
    tileRows: usize,
    key: usize,
    end: usize,
    scoresPtr: usize,
  ): void {
    const rows = strip.row(firstRow);
    const from = floorPanel(indexOf(p, <i32>key - strip.row(firstRow + numRows - 1).position));
    const to = indexOf(p, <i32>end - 1 - rows.position) + 1;
    const head = p.relativeKeysHeadStride ? rows.head - this.firstHead : 0;
    this.pack(p, head, from, to);
    const numPanels = (to - from + PANEL - 1) / PANEL;
    const queries = strip.positionPanel + (firstRow << 2);
    multiplyStrip(tileRows, queries, this.panel(p, head, from), this.products, p.headDim, numPanels);
    for (let r: usize = 0; r < numRows; r++) {
      const row = strip.row(firstRow + r);
      addRun(p, row, this.products + r * ROW_BYTES - (from << 2), key, end, scoresPtr + (firstRow + r) * ROW_BYTES);
    }
  }

  @inline
  private panel(p: AttentionParams, head: usize, distance: usize): usize {
    return this.panels + head * <usize>headBytes(p) + distance * (p.headDim << 2);
  }

  /** Packs the keys of distances `from` to `to` − 1 that are not packed yet. */
  private pack(p: AttentionParams, head: usize, from: usize, to: usize): void {
    for (let run = from / RUN; run * RUN < to; run++) {
      const state = this.states + head * runsOf(p) + run;
      if (load<u8>(state)) continue;
      const first = run * RUN;
      const rowBytes = p.relativeKeysRowStride << 2;
      const rowsPtr = p.relativeKeys + (((this.firstHead + head) * p.relativeKeysHeadStride) << 2) + first * rowBytes;
      packKeys(rowsPtr, rowBytes, 0, min(RUN, p.keyDistances - first), p.headDim, this.panel(p, head, first));
      store<u8>(state, 1);
    }
  }
}

/** Adds a row's products, of which index 0 would be at `productsPtr`, to its scores of the keys `key` to `end` − 1. */
function addRun(p: AttentionParams, row: Row, productsPtr: usize, key: usize, end: usize, scoresPtr: usize): void {
  const last = <i32>p.keyDistances - 1;
  let index = <i32>key - row.position + p.keyZero;
  const keys = <i32>(end - key);
  const before = max(0, min(keys, -index)); // keys whose distances come before the first
  let inner = max(0, min(keys, last + 1 - index) - before);
  const after = keys - before - inner;
  addRepeated(scoresPtr, productsPtr, before);
  index += before;
  scoresPtr += before << 2;
  for (; inner >= 4; inner -= 4, index += 4, scoresPtr += 16) {
    v128.store(scoresPtr, f32x4.add(v128.load(scoresPtr), v128.load(productsPtr + (index << 2))));
  }
  for (; inner > 0; inner--, index++, scoresPtr += 4) addOne(scoresPtr, productsPtr + (index << 2));
  addRepeated(scoresPtr, productsPtr + (last << 2), after);
}

/** Adds one product to `keys` scores. */
function addRepeated(scoresPtr: usize, productPtr: usize, keys: i32): void {
  for (; keys >= 4; keys -= 4, scoresPtr += 16) {
    v128.store(scoresPtr, f32x4.add(v128.load(scoresPtr), v128.load32_splat(productPtr)));
  }
  for (; keys > 0; keys--, scoresPtr += 4) addOne(scoresPtr, productPtr);
}

// @ts-ignore: decorator
@inline
function addOne(scorePtr: usize, productPtr: usize): void {
  store<f32>(scorePtr, load<f32>(scorePtr) + load<f32>(productPtr));
}

/** The index of a distance: those beyond the ends are the ends'. */
// @ts-ignore: decorator
@inline
function indexOf(p: AttentionParams, distance: i32): usize {
  return <usize>max(0, min(<i32>p.keyDistances - 1, distance + p.keyZero));
}

/** Query heads whose keys of distances are packed at a time. */
// @ts-ignore: decorator
@inline
function headsOf(p: AttentionParams): usize {
  return p.relativeKeysHeadStride ? p.numHeads / p.numKvHeads : 1;
}

// @ts-ignore: decorator
@inline
function headBytes(p: AttentionParams): u64 {
  return <u64>((p.keyDistances + PANEL - 1) & ~(PANEL - 1)) * (p.headDim << 2);
}

// @ts-ignore: decorator
@inline
function runsOf(p: AttentionParams): usize {
  return (p.keyDistances + RUN - 1) / RUN;
}

// @ts-ignore: decorator
@inline
function statesBytes(p: AttentionParams): u64 {
  return <u64>headsOf(p) * runsOf(p);
}
