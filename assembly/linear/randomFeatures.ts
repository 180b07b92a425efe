/**
 * Random projections for favor+: in blocks of headDim, directions that are orthogonal to each other, each with the length of a vector of
 * independent normal numbers. Choromanski et al. 2020, arXiv:2009.14794, section 2.4; Yu et al. 2016, arXiv:1610.09072.
 *
 * Every number is a function of seed, head and its own index: nothing depends on earlier draws.
 */
import { ceilPanel, PANEL, PANEL_BYTES } from "../tiles/layout";

/** Mixes the bits of a counter: the output of SplitMix64, Steele, Lea & Flood 2014. */
function mix(counter: u64): u64 {
  let z = counter * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/** A number in [−1, 1). */
function uniform(key: u64, index: u64): f64 {
  const BITS = 53;
  return <f64>(mix(key + index) >> (64 - BITS)) / <f64>((<u64>1) << (BITS - 1)) - 1;
}

/** The normally distributed number of an index: draws points of a square until one is in the circle (Marsaglia & Bray 1964). */
function normal(key: u64, index: u64): f64 {
  const own = mix(key ^ mix(index));
  let x: f64 = 0;
  let square: f64 = 0;
  for (let attempt: u64 = 0; square >= 1 || square == 0; attempt += 2) {
    x = uniform(own, attempt);
    const y = uniform(own, attempt + 1);
    square = x * x + y * y;
  }
  return x * Math.sqrt((-2 * <f64>Mathf.log(<f32>square)) / square);
}

/** The seed of a head's numbers: `stream` 0 for directions, 1 for lengths. */
function keyOf(seed: u32, head: usize, stream: u64): u64 {
  return mix(mix(((<u64>seed) << 1) | stream) + <u64>head);
}

/**
 * The projections of one head, as panels.
 *
 * @param ptr  [⌈featureDim / 8⌉, headDim, 8]; then scratch, f64 [headDim, headDim]. 16-byte aligned
 */
export function randomProjections(ptr: usize, seed: u32, head: usize, featureDim: usize, headDim: usize): void {
  const panelBytes = headDim * PANEL_BYTES;
  const scratch = ptr + (ceilPanel(featureDim) / PANEL) * panelBytes;
  const rowBytes = headDim << 3;
  const directions = keyOf(seed, head, 0);
  const lengths = keyOf(seed, head, 1);
  memory.fill(ptr, 0, scratch - ptr);
  for (let m: usize = 0; m < featureDim; m++) {
    const index = m % headDim; // within its block
    const row = scratch + index * rowBytes;
    for (let d: usize = 0; d < headDim; d++) store<f64>(row + (d << 3), normal(directions, <u64>m * headDim + d));
    for (let other = scratch; other < row; other += rowBytes) subtract(row, other, dot(row, other, headDim), headDim);
    multiply(row, 1 / Math.sqrt(dot(row, row, headDim)), headDim);

    let square: f64 = 0;
    for (let d: usize = 0; d < headDim; d++) {
      const x = normal(lengths, <u64>m * headDim + d);
      square += x * x;
    }
    const length = Math.sqrt(square);
    const columnPtr = ptr + (m / PANEL) * panelBytes + ((m % PANEL) << 2);
    for (let d: usize = 0; d < headDim; d++) store<f32>(columnPtr + d * PANEL_BYTES, <f32>(load<f64>(row + (d << 3)) * length));
  }
}

function dot(a: usize, b: usize, count: usize): f64 {
  let sum: f64 = 0;
  for (let d: usize = 0; d < count << 3; d += 8) sum += load<f64>(a + d) * load<f64>(b + d);
  return sum;
}

function subtract(a: usize, b: usize, factor: f64, count: usize): void {
  for (let d: usize = 0; d < count << 3; d += 8) store<f64>(a + d, load<f64>(a + d) - factor * load<f64>(b + d));
}

function multiply(a: usize, factor: f64, count: usize): void {
  for (let d: usize = 0; d < count << 3; d += 8) store<f64>(a + d, load<f64>(a + d) * factor);
}
