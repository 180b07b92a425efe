/**
 * The keys of a row of local attention: those around a centre of its own, of those that bounds leave visible. Luong, Pham & Manning 2015,
 * arXiv:1508.04025, section 3.2.
 *
 *     |j − centre| ≤ halfWidth
 */
import { AttentionParams, SequenceParams } from "../abi/attentionParams";
import { KeyRange } from "./keyRange";

@unmanaged
export class LocalRange extends KeyRange {
  centre: f32;
  /** The keys of the window: `localFrom` to `localTo` − 1. */
  localFrom: i32;
  localTo: i32;

  /** Leaves only keys of the window of the row at `position`; `index` is the row's in [batch, numHeads, seqLen]. */
  setWindow(p: AttentionParams, sequence: SequenceParams, position: i32, index: usize): void {
    let centre = <f64>position;
    if (p.centers) {
      centre = <f64>load<f32>(p.centers + (index << 2));
      if (p.predictsCenters) centre = <f64>(<f32>(centre * <f64>sequence.keyLength));
    }
    const from = max<f64>(0, Math.ceil(centre - <f64>p.halfWidth));
    const to = min<f64>(<f64>sequence.keyRows, Math.floor(centre + <f64>p.halfWidth) + 1);
    const seesKeys = from < to; // not if the centre is NaN
    this.centre = seesKeys ? <f32>centre : 0;
    this.localFrom = seesKeys ? <i32>from : 0;
    this.localTo = seesKeys ? <i32>to : 0;
    this.confine(this.localFrom, this.localTo);
  }
}
