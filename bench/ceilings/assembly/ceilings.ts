/** How fast this host reads, multiplies, adds and divides: the ceilings that kernels are measured against. */
export { multiplyAdds } from "../../../assembly/math/peak";

/** Reads `bytes` bytes, a multiple of 64, and does next to nothing with them. */
export function readAll(ptr: usize, bytes: usize): i32 {
  let or0 = i32x4.splat(0);
  let or1 = or0;
  let or2 = or0;
  let or3 = or0;
  for (const end = ptr + bytes; ptr < end; ptr += 64) {
    or0 = v128.or(or0, v128.load(ptr));
    or1 = v128.or(or1, v128.load(ptr, 16));
    or2 = v128.or(or2, v128.load(ptr, 32));
    or3 = v128.or(or3, v128.load(ptr, 48));
  }
  return i32x4.extract_lane(v128.or(v128.or(or0, or1), v128.or(or2, or3)), 0);
}

/**
 * out = a + b, number by number, as plainly as vectors allow: reading and writing at once.
 *
 * @param bytes  of out, a multiple of 64
 * @param aStep  bytes from one 64 of a to the next: 64, or 0 where one line of it serves for all
 * @param bStep  the same of b
 */
export function addAll(aPtr: usize, aStep: usize, bPtr: usize, bStep: usize, outPtr: usize, bytes: usize): void {
  for (const end = outPtr + bytes; outPtr < end; outPtr += 64, aPtr += aStep, bPtr += bStep) {
    v128.store(outPtr, f32x4.add(v128.load(aPtr), v128.load(bPtr)));
    v128.store(outPtr, f32x4.add(v128.load(aPtr, 16), v128.load(bPtr, 16)), 16);
    v128.store(outPtr, f32x4.add(v128.load(aPtr, 32), v128.load(bPtr, 32)), 32);
    v128.store(outPtr, f32x4.add(v128.load(aPtr, 48), v128.load(bPtr, 48)), 48);
  }
}

/** `steps` times eight divisions of four numbers, in chains that don't wait for one another. */
export function divisions(steps: i32): f32 {
  let a0 = f32x4.splat(1.5);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let a4 = a0;
  let a5 = a0;
  let a6 = a0;
  let a7 = a0;
  const divisor = f32x4.splat(1.0000001);
  for (let step = 0; step < steps; step++) {
    a0 = f32x4.div(a0, divisor);
    a1 = f32x4.div(a1, divisor);
    a2 = f32x4.div(a2, divisor);
    a3 = f32x4.div(a3, divisor);
    a4 = f32x4.div(a4, divisor);
    a5 = f32x4.div(a5, divisor);
    a6 = f32x4.div(a6, divisor);
    a7 = f32x4.div(a7, divisor);
  }
  const sum0123 = f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
  const sum4567 = f32x4.add(f32x4.add(a4, a5), f32x4.add(a6, a7));
  return f32x4.extract_lane(f32x4.add(sum0123, sum4567), 0);
}
