/**
 * Feature maps φ of linear attention, row by row.
 *
 *     elu+1     x > 0 ? x + 1 : eˣ            Katharopoulos et al. 2020, arXiv:2006.16236
 *     identity, relu, relu2 = relu², exp
 *     softmax   of q over its channels; of k over the positions, as exp here, divided later     Shen et al. 2018, arXiv:1812.01243
 *     favor+    exp(ω_m·y − |y|²/2) / √features, y = x / ⁴√headDim     Choromanski et al. 2020, arXiv:2009.14794, eq. 5
 *
 * All rows go through the same vector code: a row has the same bits alone or with others.
 */
import { expNeg4 } from "../math/exp";
import { expAny4 } from "../math/expAny";
import { FeatureMap, LinearParams } from "../abi/linearParams";
import { LinearWork } from "./workspace";
import { multiplyStrip } from "../tiles/multiplyStrip";
import { maxLane, minusInfinity, sumLanes } from "../math/simd";
import { BLOCK, ceilPanel, PANEL, PANEL_BYTES, tileRowsFor } from "../tiles/layout";

const ONES = memory.data<f32>([1]);

/** The elementwise maps. */
// @ts-ignore: decorator
@inline
function map4(map: FeatureMap, x: v128): v128 {
  const zero = f32x4.splat(0);
  if (map == FeatureMap.ELU) return v128.bitselect(f32x4.add(x, v128.load32_splat(ONES)), expNeg4(x), f32x4.gt(x, zero));
  if (map == FeatureMap.RELU) return f32x4.pmax(x, zero);
  if (map == FeatureMap.RELU2) return f32x4.mul(f32x4.pmax(x, zero), f32x4.pmax(x, zero));
  if (map == FeatureMap.EXP) return expAny4(x);
  return x;
}

/** One row of `count` elements; whole vectors are written. */
// @ts-ignore: decorator
@inline
function mapElements(map: FeatureMap, src: usize, dst: usize, count: usize): void {
  const tail = (count & 3) << 2;
  const wholeEnd = dst + (count << 2) - tail;
  const pairsEnd = wholeEnd - 16;
  for (; dst < pairsEnd; src += 32, dst += 32) {
    const y0123 = map4(map, v128.load(src)); // two independent chains
    const y4567 = map4(map, v128.load(src, 16));
    v128.store(dst, y0123);
    v128.store(dst, y4567, 16);
  }
  for (; dst < wholeEnd; src += 16, dst += 16) v128.store(dst, map4(map, v128.load(src)));
  if (tail == 0) return;
  memory.copy(dst, src, tail); // nothing beyond the row is read
  v128.store(dst, map4(map, v128.load(dst)));
}

/** Softmax of one row over its channels. */
function channelSoftmax(src: usize, dst: usize, count: usize): void {
  const end = dst + (count << 2);
  const vectorEnd = dst + (((count + 3) & ~3) << 2);
  memory.copy(dst, src, count << 2);
  for (let ptr = end; ptr < vectorEnd; ptr += 4) store<f32>(ptr, -Infinity);
  let max4 = minusInfinity();
  for (let ptr = dst; ptr < vectorEnd; ptr += 16) max4 = f32x4.pmax(max4, v128.load(ptr));
  const max = maxLane(max4);
  const shift = f32x4.splat(max == -Infinity ? 0 : max);
  let sum4 = f32x4.splat(0);
  for (let ptr = dst; ptr < vectorEnd; ptr += 16) {
    const power = expNeg4(f32x4.sub(v128.load(ptr), shift));
    v128.store(ptr, power);
    sum4 = f32x4.add(sum4, power);
  }
  const sum = sumLanes(sum4);
  const factor = f32x4.splat(sum == 0 ? 0 : <f32>1 / sum);
  for (let ptr = dst; ptr < vectorEnd; ptr += 16) v128.store(ptr, f32x4.mul(v128.load(ptr), factor));
}

/** exp(k − the largest of each channel), see `raiseMaxima`. */
function exponentialRow(src: usize, maximaPtr: usize, dst: usize, count: usize): void {
  memory.copy(dst, src, count << 2);
  for (let byte: usize = 0; byte < count << 2; byte += 16) {
    const max = v128.load(maximaPtr + byte);
    const shift = v128.andnot(max, f32x4.eq(max, minusInfinity()));
    v128.store(dst + byte, expNeg4(f32x4.sub(v128.load(dst + byte), shift)));
  }
}

/** Raises the maximum of each channel to the row's element. */
export function raiseMaxima(maximaPtr: usize, src: usize, count: usize): void {
  for (let byte: usize = 0; byte < count << 2; byte += 4) {
    const x = load<f32>(src + byte);
    if (x > load<f32>(maximaPtr + byte)) store<f32>(maximaPtr + byte, x);
  }
}

/** Random features of up to stripRows rows. */
function favorRows(p: LinearParams, work: LinearWork, src: usize, rowBytes: usize, numRows: usize, dst: usize): void {
  const rows = work.rows;
  const scale: f32 = <f32>(1 / Math.sqrt(Math.sqrt(<f64>p.headDim)));
  const tileRows = tileRowsFor(numRows);
  const projections = p.projections + work.head.index * ((ceilPanel(p.featureDim) * p.headDim) << 2);
  rows.pack(src, rowBytes, numRows, p.headDim, scale);
  const factor = f32x4.splat(<f32>(1 / Math.sqrt(<f64>p.featureDim)));
  for (let first: usize = 0; first < p.featureDim; first += BLOCK) {
    const panels = ceilPanel(min(BLOCK, p.featureDim - first)) / PANEL;
    multiplyStrip(tileRows, rows.strip, projections + ((first * p.headDim) << 2), rows.products, p.headDim, panels);
    for (let r: usize = 0; r < numRows; r++) {
      const half = f32x4.splat(halfSquare(rows.strip + (r << 2), p.headDim));
      const row = rows.product(r);
      const out = dst + r * rows.featureBytes + (first << 2);
      for (let byte: usize = 0; byte < panels * PANEL_BYTES; byte += 16) {
        v128.store(out + byte, f32x4.mul(expAny4(f32x4.sub(v128.load(row + byte), half)), factor));
      }
    }
  }
}

/** |y|² / 2 of a row in a strip. */
function halfSquare(columnPtr: usize, channels: usize): f32 {
  let sum: f64 = 0;
  for (let d: usize = 0; d < channels; d++, columnPtr += PANEL_BYTES) sum += <f64>load<f32>(columnPtr) * <f64>load<f32>(columnPtr);
  return <f32>(sum / 2);
}

/**
 * φ of `numRows` rows, `rowBytes` apart, to rows of `featureBytes` at `dst`, in whole vectors.
 *
 * @param isQuery  whether they are queries, not keys
 */
export function mapRows(
  p: LinearParams,
  work: LinearWork,
  src: usize,
  rowBytes: usize,
  numRows: usize,
  dst: usize,
  isQuery: bool,
): void {
  const map = p.featureMap;
  const count = p.headDim;
  const featureBytes = work.rows.featureBytes;
  if (map == FeatureMap.FAVOR) {
    for (let r: usize = 0; r < numRows; r += p.stripRows) {
      favorRows(p, work, src + r * rowBytes, rowBytes, min(p.stripRows, numRows - r), dst + r * featureBytes);
    }
    return;
  }
  for (; numRows > 0; numRows--, src += rowBytes, dst += featureBytes) {
    if (map == FeatureMap.ELU) mapElements(FeatureMap.ELU, src, dst, count);
    else if (map == FeatureMap.RELU) mapElements(FeatureMap.RELU, src, dst, count);
    else if (map == FeatureMap.RELU2) mapElements(FeatureMap.RELU2, src, dst, count);
    else if (map == FeatureMap.EXP) mapElements(FeatureMap.EXP, src, dst, count);
    else if (map == FeatureMap.IDENTITY) memory.copy(dst, src, count << 2);
    else if (isQuery) channelSoftmax(src, dst, count);
    else exponentialRow(src, work.chunk.maxima, dst, count);
  }
}
