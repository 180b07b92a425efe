/**
 * Angles of rotary embeddings, their cosines and sines. All in float64, by the methods of fdlibm (Sun Microsystems 1993), without
 * the host's functions, which differ between engines.
 */

// fdlibm, e_log.c
const LN2_HIGH: f64 = 6.9314718036912381649e-1;
const LN2_LOW: f64 = 1.90821492927058770002e-10;
const LG1: f64 = 6.66666666666673513e-1;
const LG2: f64 = 3.999999999940941908e-1;
const LG3: f64 = 2.857142874366239149e-1;
const LG4: f64 = 2.222219843214978396e-1;
const LG5: f64 = 1.818357216161805012e-1;
const LG6: f64 = 1.531383769920937332e-1;
const LG7: f64 = 1.479819860511658591e-1;

/** ln x for a finite x ≥ 1, within 1 ulp. */
export function logarithm(x: f64): f64 {
  let bits = reinterpret<u64>(x);
  // The exponent of x / √½, so that the rest is in [√½, √2).
  const k = (bits - 0x3fe6a09e667f3bcd) >> 52;
  bits -= k << 52;
  const f = reinterpret<f64>(bits) - 1;
  const s = f / (2 + f);
  const z = s * s;
  const r = z * (LG1 + z * (LG2 + z * (LG3 + z * (LG4 + z * (LG5 + z * (LG6 + z * LG7))))));
  const half = 0.5 * f * f;
  return <f64>k * LN2_HIGH - (half - (s * (half + r) + <f64>k * LN2_LOW) - f);
}

// fdlibm, e_exp.c
const P1: f64 = 1.66666666666666019037e-1;
const P2: f64 = -2.77777777770155933842e-3;
const P3: f64 = 6.61375632143793436117e-5;
const P4: f64 = -1.6533902205465251539e-6;
const P5: f64 = 4.13813679705723846039e-8;

/** e^x for |x| < 700, within 1 ulp. */
export function exponential(x: f64): f64 {
  const k = nearest(x * 1.442695040888963387);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  const t = r * r;
  const c = r - t * (P1 + t * (P2 + t * (P3 + t * (P4 + t * P5))));
  const y = 1 - (low - (r * c) / (2 - c) - high);
  return y * reinterpret<f64>((<i64>k + 1023) << 52);
}

/** base^(−2i / rotaryDim) for each pair i of channels, as f64; base ≥ 1. */
export function rotaryFrequencies(ptr: usize, rotaryDim: usize, base: f64): void {
  const log = logarithm(base);
  for (let i: usize = 0; i < rotaryDim >> 1; i++) store<f64>(ptr + (i << 3), exponential((-(<f64>(2 * i)) / <f64>rotaryDim) * log));
}

// π/2 in four parts of 24 bits: products with integers below 2²⁹ are exact, those of angles below 1.5 · 2²⁹.
const HALF_PI1: f64 = 1.570796251296997;
const HALF_PI2: f64 = 7.549789415861596e-8;
const HALF_PI3: f64 = 5.390302529957765e-15;
const HALF_PI4: f64 = 3.282003415807913e-22;

// fdlibm, k_sin.c and k_cos.c
const S1: f64 = -1.66666666666666324348e-1;
const S2: f64 = 8.33333333332248946124e-3;
const S3: f64 = -1.98412698298579493134e-4;
const S4: f64 = 2.75573137070700676789e-6;
const S5: f64 = -2.50507602534068634195e-8;
const S6: f64 = 1.58969099521155010221e-10;
const C1: f64 = 4.16666666666666019037e-2;
const C2: f64 = -1.38888888888741095749e-3;
const C3: f64 = 2.48015872894767294178e-5;
const C4: f64 = -2.75573143513906633035e-7;
const C5: f64 = 2.0875723212981748279e-9;
const C6: f64 = -1.13596475577881948265e-11;

/**
 * factor · cos x and factor · sin x, rounded to float32 once, for 0 ≤ x < 1.5 · 2²⁹: within 1 ulp of float32, also near their zeros.
 */
export function storeCosSin(x: f64, factor: f64, cosPtr: usize, sinPtr: usize): void {
  const n = nearest(x * 0.63661977236758138243);
  const r = x - n * HALF_PI1 - n * HALF_PI2 - n * HALF_PI3 - n * HALF_PI4;
  const z = r * r;
  const s = r + r * z * (S1 + z * (S2 + z * (S3 + z * (S4 + z * (S5 + z * S6)))));
  const c = 1 - 0.5 * z + z * z * (C1 + z * (C2 + z * (C3 + z * (C4 + z * (C5 + z * C6)))));
  const quarter = (<i32>n) & 3;
  const cos = quarter & 1 ? s : c;
  const sin = quarter & 1 ? c : s;
  store<f32>(cosPtr, <f32>(factor * (quarter == 1 || quarter == 2 ? -cos : cos)));
  store<f32>(sinPtr, <f32>(factor * (quarter > 1 ? -sin : sin)));
}
