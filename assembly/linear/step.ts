/** Where the recurrence keeps a step, see recurrence.ts. */
@unmanaged
export class Step {
  /** [featureDim]: exp(decay) of each channel. */
  factors: usize;
  /** [⌈valueDim / 8⌉, 8]: u. */
  u: usize;
  /** [⌈valueDim / 8⌉, 8]: what a row reads from S. */
  read: usize;
}
