/** How fast this host reads, multiplies and adds: the ceilings that kernels are measured against. */
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
