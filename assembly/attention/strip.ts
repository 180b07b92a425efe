/**
 * A strip: a few query rows that go through the register tiles together. They share keys and values, that is, a key/value head;
 * with grouped heads, the rows of one position in all heads of the group are neighbours, so that a strip's rows see nearly the same
 * keys.
 *
 *     row t of a key/value head = position ⌊t / groupSize⌋ of query head kvHead · groupSize + t mod groupSize
 */
import { AttentionParams, Score, SequenceParams } from "../abi/attentionParams";
import { KeyRange, sequenceOf } from "./keyRange";
import { LocalRange } from "./localRange";
import { HAS_EVERY_OPTION } from "../abi/options";
import { addToColumn, packRows, scaleColumn } from "../tiles/pack";
import { quantizeQueries } from "../tiles/quantize";
import { normalizeColumn } from "../tiles/norms";
import { scaleFinite } from "../math/scaleFinite";
import { PANEL_BYTES, tileRowsFor } from "../tiles/layout";
import { touchLines } from "../tiles/touch";

/** One row: the keys that it sees, the addresses of its data, and the running state of its softmax. */
@unmanaged
export class Row extends LocalRange {
  q: usize;
  out: usize;
  // 0 where absent
  mask: usize;
  bias: usize;
  logSumExp: usize;
  weights: usize;
  scores: usize;
  /** Index in [batch, numHeads, seqLen]. */
  index: usize;
  /** Number of the query head. */
  head: usize;
  /** Where the row stands among the keys of its sequence. */
  position: i32;
  /** Address of its entry's and head's slope. */
  alibiSlope: usize;
  // A choice of keys, see choice.ts.
  /** The key that it picks, −1 for none; its address. */
  pick: i32;
  picks: usize;
  isPicked: bool;
  /** Ranks so far of its largest scores, and the least that it keeps. */
  heapSize: usize;
  leastRank: i64;
  /** Running sum of exponentials, and the part of it up to the key to sample. */
  total: f64;
  share: f64;
  /** Factor on q·k. */
  scale: f32;
  /** One more logit, without a value; −∞ for none. */
  sink: f32;
  /** Running maximum and sum of exponentials. */
  max: f32;
  sum: f32;
  /** Running sum of exponential · (maximum − score), if the entropy is a result. */
  spread: f32;

  /** Row `i` of a sequence in query head `head`, before its first key. */
  set(p: AttentionParams, sequence: SequenceParams, head: usize, i: usize): void {
    this.setRow(p, sequence, <i32>i);
    this.head = head;
    this.position = <i32>i + sequence.queryOffset;
    if (p.alibiSlopes) this.alibiSlope = p.alibiSlopes + ((sequence.batch * p.alibiBatchStride + head) << 2);

    const batch = sequence.batch;
    const keyStart = sequence.keyStart;
    i += sequence.queryStart;
    this.q = p.q + ((batch * p.qBatchStride + head * p.qHeadStride + i * p.qRowStride) << 2);
    this.out = p.out + ((batch * p.outBatchStride + head * p.outHeadStride + i * p.outRowStride) << 2);
    if (p.mask)
      this.mask =
        p.mask +
        (batch * p.maskBatchStride + head * p.maskHeadStride + i * p.maskRowStride - <usize>sequence.maskStart * p.maskKeyStride);
    if (p.bias)
      this.bias =
        p.bias + ((batch * p.biasBatchStride + head * p.biasHeadStride + i * p.biasRowStride + keyStart * p.biasKeyStride) << 2);

    const index = (batch * p.numHeads + head) * p.seqLen + i;
    if (p.logSumExp) this.logSumExp = p.logSumExp + (index << 2);
    if (p.weights) this.weights = HAS_EVERY_OPTION ? weightsOf(p, batch, head, i) : p.weights + ((index * p.kvLen) << 2);
    if (p.scores) this.scores = p.scores + ((index * p.kvLen) << 2);
    if (HAS_EVERY_OPTION) {
      this.picks = p.picks + (index << 2);
      if (p.halfWidth > 0) this.setWindow(p, sequence, this.position, index);
    }

    this.scale = p.scales ? load<f32>(p.scales + (head << 2)) : p.scale;
    this.sink = p.sinks ? load<f32>(p.sinks + (head << 2)) : -Infinity;
    this.max = -Infinity;
    this.sum = 0;
    if (HAS_EVERY_OPTION) {
      this.index = index;
      this.spread = 0;
    }
  }
}

/** Whether the largest weights of rows, or what keys receive, are results: a strip's weights are then looked at, see looks.ts. */
// @ts-ignore: decorator
@inline
export function looksAtWeights(p: AttentionParams): bool {
  return HAS_EVERY_OPTION && (p.topKeys | p.keyWeights) != 0;
}

/** Address of a row's weights, 0 if they are not in the range that is wanted. */
function weightsOf(p: AttentionParams, batch: usize, head: usize, i: usize): usize {
  const h = head - p.weightsFirstHead; // beyond all heads if it is before the first
  const row = i - p.weightsFirstRow;
  if (h >= p.weightsHeads || row >= p.weightsRows) return 0;
  return p.weights + ((((batch * p.weightsHeads + h) * p.weightsRows + row) * p.kvLen) << 2);
}

/** A strip in progress: the keys that any of its rows sees, its rows, and its sums so far. */
@unmanaged
export class Strip extends KeyRange {
  sequence: SequenceParams;
  numRows: usize;
  /** Height of the register tile, at least numRows. */
  tileRows: usize;
  /** Row[MAX_STRIP_ROWS] */
  rows: usize;
  /** [headDim, 8]: the rows' queries, packed and scaled. For int8 keys, pairs of int16 [⌈headDim / 2⌉, 8]. */
  queryPanel: usize;
  /** [8]: the scales of these pairs. */
  queryScales: usize;
  /** [headDim, 8]: the queries for keys of distances, if there are such keys. */
  positionPanel: usize;
  /** Factor on scores: LOG2E for softmax, 1 where scores are results. */
  scoreFactor: f64;
  /** [MAX_STRIP_ROWS, BLOCK]: the scores of the last block, if looks need them. */
  lastScores: usize;
  /** Whether rows keep their `spread`. */
  isSpreadWanted: bool;
  // The weighted sums so far, in panels of value columns.
  firstPanel: usize;
  numPanels: usize;
  /** [numPanels, tileRows, 8] */
  accumulators: usize;

  @inline
  row(index: usize): Row {
    return changetype<Row>(this.rows + index * offsetof<Row>());
  }

  /** Rows `t` to `t + numRows − 1` of a key/value head. */
  set(p: AttentionParams, sequence: usize, kvHead: usize, t: usize, numRows: usize): void {
    const groupSize = p.numHeads / p.numKvHeads;
    this.numRows = numRows;
    this.tileRows = tileRowsFor(numRows);
    this.sequence = sequenceOf(p, sequence);
    if (HAS_EVERY_OPTION) this.isSpreadWanted = p.entropy != 0;
    for (let r: usize = 0; r < numRows; r++, t++) {
      this.row(r).set(p, this.sequence, kvHead * groupSize + (t % groupSize), t / groupSize);
    }
    this.setSpan(p, this.sequence, <i32>((t - numRows) / groupSize), <i32>((t - 1) / groupSize));
    if (HAS_EVERY_OPTION && p.halfWidth > 0) this.confineToRows();
  }

  /** Leaves only keys from the first to the last that the windows of its rows have: centres need not be in order. */
  private confineToRows(): void {
    let first = i32.MAX_VALUE;
    let end = 0;
    for (let r: usize = 0; r < this.numRows; r++) {
      const row = this.row(r);
      if (row.localFrom < row.localTo) first = min(first, row.localFrom);
      end = max(end, row.localTo);
    }
    this.confine(min(first, end), end);
  }

  /** Number of its sequence. */
  @inline
  sequenceNumber(p: AttentionParams): usize {
    return (changetype<usize>(this.sequence) - p.sequences) / offsetof<SequenceParams>();
  }

  /** Begins the weighted sums of a range of panels. */
  clear(firstPanel: usize, numPanels: usize): void {
    this.firstPanel = firstPanel;
    this.numPanels = numPanels;
    memory.fill(this.accumulators, 0, numPanels * this.accBytes);
  }

  /** Bytes from the weighted sums of one panel to those of the next. */
  @inline
  get accBytes(): usize {
    return this.tileRows * PANEL_BYTES;
  }

  /** Row `index`'s weighted sums in the first panel. */
  @inline
  accumulator(index: usize): usize {
    return this.accumulators + index * PANEL_BYTES;
  }

  /** Packs the rows' queries, for scores times `scoreFactor`. */
  packQueries(p: AttentionParams, scoreFactor: f64): void {
    this.scoreFactor = scoreFactor;
    const isOther = HAS_EVERY_OPTION && p.score != Score.PRODUCT; // such scores are scaled once they are made
    packRows(
      this.rows + offsetof<Row>("q"),
      offsetof<Row>(),
      this.numRows,
      this.queryPanel,
      p.headDim,
      p.scales || isOther ? 1 : scaleFinite(p.scale, scoreFactor),
    );
    if (isOther) {
      for (let r: usize = 0; p.score == Score.COSINE && r < this.numRows; r++) {
        normalizeColumn(this.queryPanel + (r << 2), this.row(r).q, p.headDim);
      }
    } else if (p.scales) {
      for (let r: usize = 0; r < this.numRows; r++) {
        scaleColumn(this.queryPanel + (r << 2), p.headDim, scaleFinite(this.row(r).scale, scoreFactor));
      }
    }
    if (HAS_EVERY_OPTION && p.relativeKeys) this.addBiases(p);
    if (!p.isInt8) return;
    this.queryScales = this.queryPanel + p.headDim * PANEL_BYTES;
    quantizeQueries(this.queryPanel, p.headDim, this.queryScales);
  }

  /** Makes the queries for keys of distances, and adds the biases to both. */
  private addBiases(p: AttentionParams): void {
    memory.copy(this.positionPanel, this.queryPanel, p.headDim * PANEL_BYTES);
    for (let r: usize = 0; r < this.numRows; r++) {
      const row = this.row(r);
      const bias = (row.head * p.headDim) << 2;
      const factor = scaleFinite(row.scale, this.scoreFactor);
      if (p.contentBias) addToColumn(this.queryPanel + (r << 2), p.contentBias + bias, p.headDim, factor);
      if (p.positionBias) addToColumn(this.positionPanel + (r << 2), p.positionBias + bias, p.headDim, factor);
    }
  }

  /**
   * Touches the rows' queries and results, which come from distant memory, once. 1.5 % faster at 12 × 1024 × 64 on Granite Rapids.
   */
  touch(p: AttentionParams): void {
    for (let r: usize = 0; r < this.numRows; r++) {
      const row = this.row(r);
      touchLines(row.q, p.headDim << 2);
      touchLines(row.out, p.valueDim << 2);
    }
  }
}
