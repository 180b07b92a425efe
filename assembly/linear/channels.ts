/**
 * Channels of keys that go through the tiles together when keys are folded: like rows, with positions in place of channels.
 */
@unmanaged
export class Channels {
  /** [⌈featureDim / stripRows⌉, positions, 8]: all of them, packed. */
  strips: usize;
  /** [chunkSize, 8]: one strip, packed. Shares the memory of Rows.strip, which is free then. */
  strip: usize;
  /** [MAX_STRIP_ROWS, BLOCK]: products with panels of values. Shares the memory of Rows.products. */
  products: usize;
  /** [8]: the sum of each channel. */
  sums: usize;
  /** [chunkSize]: the factor of each position that decays leave at the chunk's end. */
  factors: usize;
}
