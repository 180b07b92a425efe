/** The identity of a module, by which a wrapper refuses a module that it was not built for. */
import { IS_RELAXED, IS_WIDE, madd } from "../math/simd";
import { ABI_HASH } from "./hash.generated";

/** The builds. */
export const enum Build {
  DEBUG = 0,
  SIMD = 1,
  RELAXED = 2,
  WIDE = 3,
}

/** Hash of the ABI that TypeScript and these kernels share, see `scripts/abi.mjs`. */
export function abiHash(): u32 {
  return ABI_HASH;
}

export function build(): i32 {
  if (!ASC_NO_ASSERT) return Build.DEBUG;
  if (IS_WIDE) return Build.WIDE;
  return IS_RELAXED ? Build.RELAXED : Build.SIMD;
}

/** First byte after static data. */
export function heapBase(): usize {
  return __heap_base;
}

/** madd of three numbers: it tells the host whether this build rounds products. */
export function multiplyAdd(a: f32, b: f32, c: f32): f32 {
  return f32x4.extract_lane(madd(f32x4.splat(a), f32x4.splat(b), f32x4.splat(c)), 0);
}
