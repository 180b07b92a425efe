/** The buffers of one step of the recurrence, see recurrence.ts. */
@unmanaged
export class Step {
  /** [featureDim]: exp(decay) of each channel. */
  factors: usize;
  /** [⌈valueDim / 8⌉, 8]: u. */
  u: usize;
  /** [⌈valueDim / 8⌉, 8]: Sᵀ times a key or a query. */
  read: usize;
}
