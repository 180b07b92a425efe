/** How fast a host multiplies and adds in registers of 128 bits, in the form that the kernels use. */
import { madd } from "./simd";

/** 960 bytes to walk through, ten steps, so that no product is loop-invariant; the numbers do not matter. */
const B = memory.data(960, 16);
const A = memory.data<f32>([0.75, 0.5]);

/**
 * 12 independent accumulators, 2 factors in registers, 6 vectors loaded from L1 per step: as many chains as the tallest tile has, with
 * fewer loads. Eight chains fill two units of four cycles only where nothing is ever late, as on a core that no other thread shares.
 * `steps` · 96 floating-point operations; `steps` is a multiple of 10.
 */
export function multiplyAdds(steps: i32): f32 {
  let acc0x0123 = f32x4.splat(0);
  let acc0x4567 = f32x4.splat(0);
  let acc0x89ab = f32x4.splat(0);
  let acc0xcdef = f32x4.splat(0);
  let acc0xghij = f32x4.splat(0);
  let acc0xklmn = f32x4.splat(0);
  let acc1x0123 = f32x4.splat(0);
  let acc1x4567 = f32x4.splat(0);
  let acc1x89ab = f32x4.splat(0);
  let acc1xcdef = f32x4.splat(0);
  let acc1xghij = f32x4.splat(0);
  let acc1xklmn = f32x4.splat(0);
  const a0 = v128.load32_splat(A);
  const a1 = v128.load32_splat(A, 4);
  for (let step = 0; step < steps; step += 10) {
    let bPtr: usize = B;
    do {
      let b = v128.load(bPtr);
      acc0x0123 = madd(a0, b, acc0x0123);
      acc1x0123 = madd(a1, b, acc1x0123);
      b = v128.load(bPtr, 16);
      acc0x4567 = madd(a0, b, acc0x4567);
      acc1x4567 = madd(a1, b, acc1x4567);
      b = v128.load(bPtr, 32);
      acc0x89ab = madd(a0, b, acc0x89ab);
      acc1x89ab = madd(a1, b, acc1x89ab);
      b = v128.load(bPtr, 48);
      acc0xcdef = madd(a0, b, acc0xcdef);
      acc1xcdef = madd(a1, b, acc1xcdef);
      b = v128.load(bPtr, 64);
      acc0xghij = madd(a0, b, acc0xghij);
      acc1xghij = madd(a1, b, acc1xghij);
      b = v128.load(bPtr, 80);
      acc0xklmn = madd(a0, b, acc0xklmn);
      acc1xklmn = madd(a1, b, acc1xklmn);
      bPtr += 96;
    } while (bPtr < B + 960);
  }
  acc0x0123 = f32x4.add(f32x4.add(acc0x0123, acc0x4567), f32x4.add(acc0x89ab, acc0xcdef));
  acc1x0123 = f32x4.add(f32x4.add(acc1x0123, acc1x4567), f32x4.add(acc1x89ab, acc1xcdef));
  acc0xghij = f32x4.add(f32x4.add(acc0xghij, acc0xklmn), f32x4.add(acc1xghij, acc1xklmn));
  const sum = f32x4.add(f32x4.add(acc0x0123, acc1x0123), acc0xghij);
  return f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
}
