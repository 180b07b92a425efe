// Layer and RMS norm. See scripts/breaks.mjs.

export default [
  {
    rule: "norm: the mean is subtracted in two parts",
    find: "const low = <f32>(mean - <f64>high);",
    replace: "const low: f32 = 0;",
    tests: ["normalize"],
  },
  {
    rule: "norm: RMS norm keeps the mean",
    find: "const isCentered = descriptor === LAYER_NORM;",
    replace: "const isCentered = true;",
    tests: ["normalize"],
  },
  {
    rule: "norm: lanes beyond the end of a row are not summed",
    find: "const x4567 = v128.and(v128.load(ptr, 16), firstLanes(upperLanes(rest)));",
    replace: "const x4567 = v128.load(ptr, 16);",
    tests: ["normalize"],
  },
  {
    rule: "norm: eps is added to the variance",
    find: "sqrt<f64>(variance + <f64>p.eps)",
    replace: "(sqrt<f64>(variance) + <f64>p.eps)",
    tests: ["normalize"],
  },
  {
    rule: "norm: squares in float64 do not overflow",
    find: "  return f64x2.mul(x, x);",
    replace: "  const s = f32x4.demote_f64x2_zero(x);\n  return f64x2.promote_low_f32x4(f32x4.mul(s, s));",
    tests: ["normalize"],
  },
  {
    rule: "norm: a bias works without a weight",
    find: "else if (hasBias) y = f32x4.add(y, v128.load(bias + at));",
    replace: "",
    tests: ["normalize"],
  },
];
