/**
 * The scores of a softmax along an axis with a mask or a bias: scale · x + bias, −∞ where hidden. They are written to
 * the place of the result, where the softmax then works.
 */
import { PANEL } from "../tiles/layout";
import { applyMask } from "../tiles/mask";
import { AxisParams, SoftmaxParams } from "../abi/softmaxParams";
import { minusInfinity } from "../math/simd";

/** Elements by which the mask, or the bias, advances to `index` of some axes, the last of which runs fastest. */
function advance(axesPtr: usize, numAxes: usize, index: usize, isMask: bool): usize {
  let elements: usize = 0;
  for (let axis = numAxes; axis > 0; axis--) {
    const params = changetype<AxisParams>(axesPtr + (axis - 1) * offsetof<AxisParams>());
    elements += (index % params.size) * (isMask ? params.maskStride : params.biasStride);
    index /= params.size;
  }
  return elements;
}

/** Address of the mask's byte for index 0 along the axis, at `outer` and `inner` of the axes before and after it. */
function maskStart(p: SoftmaxParams, outer: usize, inner: usize): usize {
  if (!p.mask) return 0;
  return p.mask + advance(p.outerAxes, p.numOuterAxes, outer, true) + advance(p.innerAxes, p.numInnerAxes, inner, true);
}

/** The same for the bias. */
function biasStart(p: SoftmaxParams, outer: usize, inner: usize): usize {
  if (!p.bias) return 0;
  const elements = advance(p.outerAxes, p.numOuterAxes, outer, false) + advance(p.innerAxes, p.numInnerAxes, inner, false);
  return p.bias + (elements << 2);
}

/** A bias of −∞ is tested before it is added: NaN + −∞ is NaN. */
// @ts-ignore: decorator
@inline
function visibleScore(x: f32, scale: f32, maskPtr: usize, biasPtr: usize): f32 {
  if (maskPtr && !load<u8>(maskPtr)) return -Infinity;
  if (!biasPtr) return x * scale;
  const bias = load<f32>(biasPtr);
  return bias == -Infinity ? -Infinity : x * scale + bias;
}

/** The bias of whole vectors; `stride` is 1, or 0 if one number serves all. */
function addBias(scoresPtr: usize, biasPtr: usize, stride: usize, bytes: usize): void {
  const invisible = minusInfinity();
  for (let at: usize = 0; at < bytes; at += 16) {
    const bias = stride ? v128.load(biasPtr + at) : v128.load32_splat(biasPtr);
    const sum = f32x4.add(v128.load(scoresPtr + at), bias);
    v128.store(scoresPtr + at, v128.bitselect(invisible, sum, f32x4.eq(bias, invisible)));
  }
}

/**
 * One row of `count` neighbouring elements; those from p.covered on are hidden. Reads mask and bias only where they have elements.
 *
 * @param srcPtr  the row of x
 * @param dstPtr  receives the scores; may be srcPtr
 */
export function visibleRow(p: SoftmaxParams, row: usize, srcPtr: usize, dstPtr: usize): void {
  const maskPtr = maskStart(p, row, 0);
  const biasPtr = biasStart(p, row, 0);
  const whole = p.covered & ~(PANEL - 1);
  const scales = f32x4.splat(p.scale);
  for (let at: usize = 0; at < whole << 2; at += 16) v128.store(dstPtr + at, f32x4.mul(v128.load(srcPtr + at), scales));
  if (biasPtr) addBias(dstPtr, biasPtr, p.biasStride, whole << 2);
  if (maskPtr) applyMask(dstPtr, maskPtr, p.maskStride, whole);
  for (let j = whole; j < p.length; j++) {
    const at = j << 2;
    const mask = maskPtr ? maskPtr + j * p.maskStride : 0;
    const bias = biasPtr ? biasPtr + ((j * p.biasStride) << 2) : 0;
    store<f32>(dstPtr + at, j < p.covered ? visibleScore(load<f32>(srcPtr + at), p.scale, mask, bias) : -Infinity);
  }
}

/**
 * The columns `first` to `first` + `columns` − 1, whose steps are p.inner elements apart.
 *
 * @param startsPtr  room for two addresses for each column
 */
export function visibleColumns(
  p: SoftmaxParams,
  outer: usize,
  first: usize,
  columns: usize,
  srcPtr: usize,
  dstPtr: usize,
  startsPtr: usize,
): void {
  const startsEnd = startsPtr + (columns << 3);
  for (let at = startsPtr, column = first; at < startsEnd; at += 8, column++) {
    store<usize>(at, maskStart(p, outer, column));
    store<usize>(at, biasStart(p, outer, column), 4);
  }
  for (let j: usize = 0; j < p.length; j++) {
    const offset = (j * p.inner) << 2;
    for (let at = startsPtr, x = srcPtr + offset, score = dstPtr + offset; at < startsEnd; at += 8, x += 4, score += 4) {
      const mask = p.mask ? load<usize>(at) + j * p.maskStride : 0;
      const bias = p.bias ? load<usize>(at, 4) + ((j * p.biasStride) << 2) : 0;
      store<f32>(score, visibleScore(load<f32>(x), p.scale, mask, bias));
    }
  }
}
