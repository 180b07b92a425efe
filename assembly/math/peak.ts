/** How fast a host multiplies and adds in registers of 128 bits, in the form that the kernels use. */
import { madd } from "./simd";

/** 1 KiB to walk through, so that no product is loop-invariant; the numbers do not matter. */
const B = memory.data(1024, 16);
const A = memory.data<f32>([0.75, 0.5, 0.25, 0.125]);

/**
 * 8 independent accumulators, 4 factors in registers, 2 vectors loaded from L1 per step: a complete 4×8 tile except for the
 * loads of A. `steps` · 64 floating-point operations.
 */
export function multiplyAdds(steps: i32): f32 {
  let acc0x0123 = f32x4.splat(0);
  let acc0x4567 = f32x4.splat(0);
  let acc1x0123 = f32x4.splat(0);
  let acc1x4567 = f32x4.splat(0);
  let acc2x0123 = f32x4.splat(0);
  let acc2x4567 = f32x4.splat(0);
  let acc3x0123 = f32x4.splat(0);
  let acc3x4567 = f32x4.splat(0);
  const a0 = v128.load32_splat(A);
  const a1 = v128.load32_splat(A, 4);
  const a2 = v128.load32_splat(A, 8);
  const a3 = v128.load32_splat(A, 12);
  for (let step = 0; step < steps; step++) {
    const bPtr = B + (((<usize>step) << 5) & 1023);
    const b0123 = v128.load(bPtr);
    const b4567 = v128.load(bPtr, 16);
    acc0x0123 = madd(a0, b0123, acc0x0123);
    acc0x4567 = madd(a0, b4567, acc0x4567);
    acc1x0123 = madd(a1, b0123, acc1x0123);
    acc1x4567 = madd(a1, b4567, acc1x4567);
    acc2x0123 = madd(a2, b0123, acc2x0123);
    acc2x4567 = madd(a2, b4567, acc2x4567);
    acc3x0123 = madd(a3, b0123, acc3x0123);
    acc3x4567 = madd(a3, b4567, acc3x4567);
  }
  const sum0123 = f32x4.add(f32x4.add(acc0x0123, acc1x0123), f32x4.add(acc2x0123, acc3x0123));
  const sum4567 = f32x4.add(f32x4.add(acc0x4567, acc1x4567), f32x4.add(acc2x4567, acc3x4567));
  const sum = f32x4.add(sum0123, sum4567);
  return f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
}
