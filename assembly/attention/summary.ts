/** What a row's running maximum and sums say about its weights, without a second pass over the keys. */
import { AttentionParams } from "../abi/attentionParams";
import { Row } from "./strip";
import { exp2Neg1 } from "../math/exp2";
import { LOG2E } from "../math/exponent";
import { scaleFinite } from "../math/scaleFinite";

/**
 * Writes the largest weight of a row that has seen its keys, and its entropy −Σ w ln w.
 *
 *     w = 2^(s − m) / sum ,   −Σ w ln w = ln sum · Σ w + ln 2 · Σ w (m − s)
 *
 * Neither term is below 0, so they do not cancel. Σ w is 1 unless there is a sink, which is subtracted from the sum.
 *
 * @param largest  the largest score, which the sink may exceed
 * @param factor   1 / sum, 0 for a row that sees no key
 */
export function writeSummary(p: AttentionParams, row: Row, largest: f32, factor: f32): void {
  const seesKeys = row.sum != 0;
  if (p.largestWeight) store<f32>(p.largestWeight + (row.index << 2), seesKeys ? exp2Neg1(largest - row.max) * factor : 0);
  if (!p.entropy) return;
  const sink: f32 = p.sinks && seesKeys ? exp2Neg1(scaleFinite(row.sink, LOG2E) - row.max) : 0;
  const ofKeys = <f64>((row.sum - sink) * factor);
  const entropy = <f64>Mathf.log(row.sum) * ofKeys + <f64>(row.spread * factor) / LOG2E;
  store<f32>(p.entropy + (row.index << 2), seesKeys ? <f32>entropy : 0);
}
