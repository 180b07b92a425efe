/** Moves rows of keys and values into the blocks of a cache, and back. Attention reads the blocks without packing again. */
import { AppendResult, CacheParams, KeySpan } from "../abi/attentionParams";
import { blockBytes, BlockLayout, FINITE, NOT_FINITE } from "./keyBlock";
import { packKeys, packValues, unpackKey, unpackValue } from "../tiles/pack";
import { packKeyInt8, packValueInt8, unpackKeyInt8, unpackValueInt8 } from "../tiles/packInt8";
import { quantizeRow, widenRow } from "../tiles/quantize";
import { BLOCK, wholeLines } from "../tiles/layout";

/** Bytes of a block of a cache, all heads of a sequence; a float, see attentionWorkspaceBytes. */
export function cacheBlockBytes(numKvHeads: usize, headDim: usize, valueDim: usize, isInt8: i32): f64 {
  return <f64>blockBytes(BLOCK, numKvHeads, headDim, valueDim, isInt8 != 0);
}

/** Bytes of scratch that appendKeys and readKeys take: the layout, and a row of int8. */
export function transferBytes(headDim: usize, valueDim: usize): f64 {
  return <f64>(wholeLines(offsetof<BlockLayout>()) + wholeLines(max(headDim, valueDim)));
}

/** Writes the spans of all sequences. In float32 a head's values are taken as finite until one of them is not. */
export function appendKeys(params: usize, scratch: usize): i32 {
  const p = changetype<CacheParams>(params);
  const layout = layoutAt(p, scratch);
  for (let batch: usize = 0; batch < p.batchSize; batch++) {
    for (let head: usize = 0; head < p.numKvHeads; head++) {
      if (!p.isInt8) {
        appendFloats(p, layout, batch, head);
        continue;
      }
      const appended = appendInt8(p, layout, batch, head);
      if (appended != AppendResult.ALL) return appended;
    }
  }
  return AppendResult.ALL;
}

function appendFloats(p: CacheParams, layout: BlockLayout, batch: usize, head: usize): void {
  const span = spanOf(p, batch);
  let kPtr = keyRow(p, batch, head);
  let vPtr = valueRow(p, batch, head);
  for (let key = span.first; key < span.end;) {
    const block = blockOf(p, batch, key);
    const first = key % BLOCK;
    const keys = min(BLOCK - first, span.end - key);
    const values = layout.values(block, head);
    packKeys(kPtr, p.kRowStride << 2, first, keys, p.headDim, layout.keys(block, head));
    const isFinite = packValues(vPtr, p.vRowStride << 2, first, keys, p.valueDim, values, layout.valuePanelBytes);
    if (!isFinite) store<u8>(block + head, NOT_FINITE);
    else if (first == 0) store<u8>(block + head, FINITE);
    kPtr += keys * (p.kRowStride << 2);
    vPtr += keys * (p.vRowStride << 2);
    key += keys;
  }
}

/** Rows of float32 are rounded, key by key; rows of int8 have scales. */
function appendInt8(p: CacheParams, layout: BlockLayout, batch: usize, head: usize): AppendResult {
  const span = spanOf(p, batch);
  const bytesPtr = rowOfBytes(layout);
  const isRounded = p.keyScales != 0;
  for (let key = span.first, row: usize = 0; key < span.end; key++, row++) {
    const block = blockOf(p, batch, key);
    const j = key % BLOCK;
    const kPtr = keyRow(p, batch, head) + row * p.kRowStride * elementBytes(p);
    const vPtr = valueRow(p, batch, head) + row * p.vRowStride * elementBytes(p);

    const keyScale = isRounded ? load<f32>(scaleOf(p, p.keyScales, row, head)) : quantizeRow(kPtr, p.headDim, bytesPtr);
    if (isNaN(keyScale)) return AppendResult.KEY_NOT_FINITE;
    packKeyInt8(isRounded ? kPtr : bytesPtr, layout.keys(block, head), j, p.headDim);
    store<f32>(layout.keyScales(block, head) + (j << 2), keyScale);

    const valueScale = isRounded ? load<f32>(scaleOf(p, p.valueScales, row, head)) : quantizeRow(vPtr, p.valueDim, bytesPtr);
    if (isNaN(valueScale)) return AppendResult.VALUE_NOT_FINITE;
    packValueInt8(isRounded ? vPtr : bytesPtr, layout.values(block, head), layout.valuePanelBytes, j, p.valueDim);
    store<f32>(layout.valueScales(block, head) + (j << 2), valueScale);
    store<u8>(block + head, FINITE);
  }
  return AppendResult.ALL;
}

/** Reads the spans of all sequences: rows of float32, also from int8, or of int8 with their scales. */
export function readKeys(params: usize, scratch: usize): void {
  const p = changetype<CacheParams>(params);
  const layout = layoutAt(p, scratch);
  const bytesPtr = rowOfBytes(layout);
  const isRounded = p.keyScales != 0;
  for (let batch: usize = 0; batch < p.batchSize; batch++) {
    const span = spanOf(p, batch);
    for (let head: usize = 0; head < p.numKvHeads; head++) {
      let kPtr = keyRow(p, batch, head);
      let vPtr = valueRow(p, batch, head);
      for (let key = span.first, row: usize = 0; key < span.end; key++, row++) {
        const block = blockOf(p, batch, key);
        const j = key % BLOCK;
        const keys = layout.keys(block, head);
        const values = layout.values(block, head);
        if (p.isInt8) {
          const keyScale = load<f32>(layout.keyScales(block, head) + (j << 2));
          unpackKeyInt8(keys, j, p.headDim, isRounded ? kPtr : bytesPtr);
          if (isRounded) store<f32>(scaleOf(p, p.keyScales, row, head), keyScale);
          else widenRow(bytesPtr, p.headDim, keyScale, kPtr);

          const valueScale = load<f32>(layout.valueScales(block, head) + (j << 2));
          unpackValueInt8(values, layout.valuePanelBytes, j, p.valueDim, isRounded ? vPtr : bytesPtr);
          if (isRounded) store<f32>(scaleOf(p, p.valueScales, row, head), valueScale);
          else widenRow(bytesPtr, p.valueDim, valueScale, vPtr);
        } else {
          unpackKey(keys, j, p.headDim, kPtr);
          unpackValue(values, layout.valuePanelBytes, j, p.valueDim, vPtr);
        }
        kPtr += p.kRowStride * elementBytes(p);
        vPtr += p.vRowStride * elementBytes(p);
      }
    }
  }
}

function layoutAt(p: CacheParams, scratch: usize): BlockLayout {
  const layout = changetype<BlockLayout>(scratch);
  layout.set(BLOCK, p.numKvHeads, p.headDim, p.valueDim, p.isInt8 != 0);
  return layout;
}

/** Address of a rounded row. */
// @ts-ignore: decorator
@inline
function rowOfBytes(layout: BlockLayout): usize {
  return changetype<usize>(layout) + <usize>wholeLines(offsetof<BlockLayout>());
}

/** Bytes of an element of the rows to append or read. */
// @ts-ignore: decorator
@inline
function elementBytes(p: CacheParams): usize {
  return p.keyScales ? 1 : 4;
}

// @ts-ignore: decorator
@inline
function scaleOf(p: CacheParams, scales: usize, row: usize, head: usize): usize {
  return scales + ((row * p.numKvHeads + head) << 2);
}

// @ts-ignore: decorator
@inline
function spanOf(p: CacheParams, batch: usize): KeySpan {
  return changetype<KeySpan>(p.spans + batch * offsetof<KeySpan>());
}

// @ts-ignore: decorator
@inline
function keyRow(p: CacheParams, batch: usize, head: usize): usize {
  return p.k + (batch * p.kBatchStride + head * p.kHeadStride) * elementBytes(p);
}

// @ts-ignore: decorator
@inline
function valueRow(p: CacheParams, batch: usize, head: usize): usize {
  return p.v + (batch * p.vBatchStride + head * p.vHeadStride) * elementBytes(p);
}

// @ts-ignore: decorator
@inline
function blockOf(p: CacheParams, batch: usize, key: usize): usize {
  return load<usize>(p.blocks + (batch * p.blocksPerSequence + key / BLOCK) * sizeof<usize>());
}
