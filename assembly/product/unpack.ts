/** Restores columns of a packed matrix; matmul.ts defines its layout. */
import { ceilPanel, floorPanel, K_BLOCK, PANEL } from "../tiles/layout";

/**
 * Gathers columns of a packed matrix [depth, columns] into rows without gaps.
 *
 * @param indices  u32 [count]: the columns
 * @param out      [depth, count]
 */
export function unpackColumns(packedPtr: usize, depth: usize, columns: usize, indices: usize, count: usize, out: usize): void {
  for (let k: usize = 0; k < depth; k += K_BLOCK) {
    const steps = min(K_BLOCK, depth - k);
    const blockPtr = packedPtr + ((k * ceilPanel(columns)) << 2);
    for (let step: usize = 0; step < steps; step++) {
      for (let i: usize = 0; i < count; i++, out += 4) {
        const column = <usize>load<u32>(indices + (i << 2));
        store<f32>(out, load<f32>(blockPtr + ((floorPanel(column) * steps + step * PANEL + (column % PANEL)) << 2)));
      }
    }
  }
}
