/** What a module says about itself, so that a wrapper can refuse one that it was not made for. */
import { IS_RELAXED, IS_WIDE, madd } from "../math/simd";
import { BLOCK, PANEL } from "../tiles/layout";

/** Rises with every change of an export, of a struct or of what they mean. */
const ABI_VERSION = 8;

/** Names of the builds, as `src/runtime/builds.ts` lists them. */
const enum Build {
  DEBUG = 0,
  SIMD = 1,
  RELAXED = 2,
  WIDE = 3,
}

export function abiVersion(): i32 {
  return ABI_VERSION;
}

export function build(): i32 {
  if (!ASC_NO_ASSERT) return Build.DEBUG;
  if (IS_WIDE) return Build.WIDE;
  return IS_RELAXED ? Build.RELAXED : Build.SIMD;
}

/** First byte that static data does not take. */
export function heapBase(): usize {
  return __heap_base;
}

/** madd of three numbers: the host decides by it whether this build's products are rounded. */
export function multiplyAdd(a: f32, b: f32, c: f32): f32 {
  return f32x4.extract_lane(madd(f32x4.splat(a), f32x4.splat(b), f32x4.splat(c)), 0);
}

export function panel(): usize {
  return PANEL;
}

export function block(): usize {
  return BLOCK;
}
