/** Random numbers without a state: SplitMix64. Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators". */

const GOLDEN_GAMMA: u64 = 0x9e3779b97f4a7c15;

/** A number in [0, 1) of 24 bits, made of a seed and three numbers; `c` may be negative. */
export function uniform(seed: usize, a: usize, b: usize, c: i32): f64 {
  let state = mixed(GOLDEN_GAMMA + <u64>seed);
  state = mixed(state + GOLDEN_GAMMA + <u64>a);
  state = mixed(state + GOLDEN_GAMMA + <u64>b);
  state = mixed(state + GOLDEN_GAMMA + <u64>(<i64>c));
  return <f64>(state >> 40) / <f64>(1 << 24);
}

/** The finaliser. */
function mixed(state: u64): u64 {
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
  state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
  return state ^ (state >> 31);
}
