/**
 * Gates of heads: heads[i, h, c] ← gates[h] · heads[i, h, c]. Michel, Levy & Neubig 2019, arXiv:1905.10650, section 2.3.
 *
 * A gate of 0 removes its head: all elements become 0, even NaN and infinities. A gate of 1 keeps every bit.
 */

/** A factor on each head. */
@unmanaged
export class GateParams {
  /** [rows, numHeads, valueDim]; multiplied in place. */
  heads: usize;
  /** [numHeads] */
  gates: usize;
  rows: usize;
  numHeads: usize;
  valueDim: usize;
}

export function gateHeadsUnits(params: usize): usize {
  return changetype<GateParams>(params).rows;
}

/** Rows `first` to `end` − 1 of all heads. Nothing beyond a row is read or written. */
export function gateHeads(params: usize, _workspace: usize, first: usize, end: usize): void {
  const p = changetype<GateParams>(params);
  const headBytes = p.valueDim << 2;
  let headPtr = p.heads + first * p.numHeads * headBytes;
  for (let row = first; row < end; row++) {
    for (let head: usize = 0; head < p.numHeads; head++, headPtr += headBytes) {
      const gate = load<f32>(p.gates + (head << 2));
      if (gate == 0) memory.fill(headPtr, 0, headBytes);
      else if (gate != 1) multiplyBy(headPtr, p.valueDim, gate);
    }
  }
}

/** x → x · factor in place. */
function multiplyBy(ptr: usize, count: usize, factor: f32): void {
  const factors = f32x4.splat(factor);
  const wholeEnd = ptr + ((count & ~3) << 2);
  for (; ptr < wholeEnd; ptr += 16) v128.store(ptr, f32x4.mul(v128.load(ptr), factors));
  for (let rest = count & 3; rest > 0; rest--, ptr += 4) store<f32>(ptr, load<f32>(ptr) * factor);
}
