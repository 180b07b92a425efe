/**
 * Panels of int8: pairs of channels, or of keys, are adjacent, as the tiles multiply them.
 *
 *     keys     [⌈keys / 8⌉, ⌈headDim / 2⌉, 8, 2]
 *     values   [⌈valueDim / 8⌉, ⌈keys / 2⌉, 8, 2]
 */
import { PAIR_PANEL_BYTES, pairsOf } from "./pairs";
import { floorPanel, PANEL } from "./layout";

/** Address of the first pair of key `j`; pairs are PAIR_PANEL_BYTES apart. */
// @ts-ignore: decorator
@inline
function pairColumn(panelsPtr: usize, j: usize, headDim: usize): usize {
  return panelsPtr + floorPanel(j) * 2 * pairsOf(headDim) + 2 * (j % PANEL);
}

/** If headDim is odd, the last pair ends with 0. */
export function packKeyInt8(bytesPtr: usize, panelsPtr: usize, j: usize, headDim: usize): void {
  let columnPtr = pairColumn(panelsPtr, j, headDim);
  for (let channel: usize = 0; channel < headDim; channel += 2, columnPtr += PAIR_PANEL_BYTES) {
    store<u16>(columnPtr, channel + 1 < headDim ? load<u16>(bytesPtr + channel) : <u16>load<u8>(bytesPtr + channel));
  }
}

export function unpackKeyInt8(panelsPtr: usize, j: usize, headDim: usize, bytesPtr: usize): void {
  const columnPtr = pairColumn(panelsPtr, j, headDim);
  for (let channel: usize = 0; channel < headDim; channel++) {
    store<u8>(bytesPtr + channel, load<u8>(columnPtr + (channel >> 1) * PAIR_PANEL_BYTES + (channel & 1)));
  }
}

/** Address of column `column` of key `j`. */
// @ts-ignore: decorator
@inline
function byteOf(panelsPtr: usize, panelBytes: usize, j: usize, column: usize): usize {
  return panelsPtr + (column / PANEL) * panelBytes + (j >> 1) * PAIR_PANEL_BYTES + 2 * (column % PANEL) + (j & 1);
}

export function packValueInt8(bytesPtr: usize, panelsPtr: usize, panelBytes: usize, j: usize, valueDim: usize): void {
  for (let column: usize = 0; column < valueDim; column++) {
    store<u8>(byteOf(panelsPtr, panelBytes, j, column), load<u8>(bytesPtr + column));
  }
}

export function unpackValueInt8(panelsPtr: usize, panelBytes: usize, j: usize, valueDim: usize, bytesPtr: usize): void {
  for (let column: usize = 0; column < valueDim; column++) {
    store<u8>(bytesPtr + column, load<u8>(byteOf(panelsPtr, panelBytes, j, column)));
  }
}
