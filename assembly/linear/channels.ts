/**
 * Channels of keys that go through the tiles together when keys are folded: as rows do, with positions in place of channels.
 */
@unmanaged
export class Channels {
  /** [⌈featureDim / stripRows⌉, positions, 8]: all of them, packed. */
  strips: usize;
  /** [chunkSize, 8]: one strip, packed. The memory of Rows.strip, which is free meanwhile. */
  strip: usize;
  /** [MAX_STRIP_ROWS, BLOCK]: products with panels of values. The memory of Rows.products. */
  products: usize;
  /** [8]: the sum of each channel. */
  sums: usize;
  /** [chunkSize]: what remains of each position at the chunk's end. */
  factors: usize;
}
