/** Rows of keys and values into the blocks of a cache, and back: what attention reads there is never packed again. */
import { CacheParams, KeySpan } from "./params";
import { blockBytes, BlockLayout, FINITE, NOT_FINITE } from "./keyBlock";
import { packKeys, packValues, unpackKey, unpackValue } from "./pack";
import { BLOCK } from "./layout";

/** Bytes of a block of a cache, all heads of a sequence; as a float, see workspaceBytes. */
export function cacheBlockBytes(numKvHeads: usize, headDim: usize, valueDim: usize): f64 {
  return <f64>blockBytes(BLOCK, numKvHeads, headDim, valueDim);
}

/** Writes the spans of all sequences. A head's values count as finite until one of them is not. */
export function appendKeys(params: usize, layoutPtr: usize): void {
  const p = changetype<CacheParams>(params);
  const layout = changetype<BlockLayout>(layoutPtr);
  layout.place(BLOCK, p.numKvHeads, p.headDim, p.valueDim);
  for (let batch: usize = 0; batch < p.batchSize; batch++) {
    for (let head: usize = 0; head < p.numKvHeads; head++) appendToHead(p, layout, batch, head);
  }
}

function appendToHead(p: CacheParams, layout: BlockLayout, batch: usize, head: usize): void {
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

/** Reads the spans of all sequences: the rows that appendKeys was given. */
export function readKeys(params: usize, layoutPtr: usize): void {
  const p = changetype<CacheParams>(params);
  const layout = changetype<BlockLayout>(layoutPtr);
  layout.place(BLOCK, p.numKvHeads, p.headDim, p.valueDim);
  for (let batch: usize = 0; batch < p.batchSize; batch++) {
    const span = spanOf(p, batch);
    for (let head: usize = 0; head < p.numKvHeads; head++) {
      let kPtr = keyRow(p, batch, head);
      let vPtr = valueRow(p, batch, head);
      for (let key = span.first; key < span.end; key++) {
        const block = blockOf(p, batch, key);
        unpackKey(layout.keys(block, head), key % BLOCK, p.headDim, kPtr);
        unpackValue(layout.values(block, head), layout.valuePanelBytes, key % BLOCK, p.valueDim, vPtr);
        kPtr += p.kRowStride << 2;
        vPtr += p.vRowStride << 2;
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function spanOf(p: CacheParams, batch: usize): KeySpan {
  return changetype<KeySpan>(p.spans + batch * offsetof<KeySpan>());
}

// @ts-ignore: decorator
@inline
function keyRow(p: CacheParams, batch: usize, head: usize): usize {
  return p.k + ((batch * p.kBatchStride + head * p.kHeadStride) << 2);
}

// @ts-ignore: decorator
@inline
function valueRow(p: CacheParams, batch: usize, head: usize): usize {
  return p.v + ((batch * p.vBatchStride + head * p.vHeadStride) << 2);
}

// @ts-ignore: decorator
@inline
function blockOf(p: CacheParams, batch: usize, key: usize): usize {
  return load<usize>(p.blocks + (batch * p.blocksPerSequence + key / BLOCK) * sizeof<usize>());
}
