// Rotary embeddings. See scripts/breaks.mjs.

export default [
  {
    rule: "rotary: the second channel of a pair is b cos + a sin",
    find: "madd(b, cos, f32x4.mul(a, sin))",
    replace: "madd(b, cos, f32x4.neg(f32x4.mul(a, sin)))",
    tests: ["rotary"],
  },
  {
    rule: "rotary: neighbours have opposite signs",
    find: "v128.xor(v128.load(EVEN_SIGNS), flip)",
    replace: "v128.load(EVEN_SIGNS)",
    tests: ["rotary"],
  },
  {
    rule: "rotary: channels after those that are rotated stay unchanged",
    find: "(p.headDim << 2) - rest",
    replace: "(p.headDim << 1) - rest",
    tests: ["rotary"],
  },
  {
    rule: "rotary: channels before rotaryStart stay unchanged",
    find: "memory.copy(dst, src, start);",
    replace: "",
    tests: ["rotary"],
  },
  {
    rule: "rotary: rotaryStart is the first channel that is rotated",
    find: "const start = p.rotaryStart << 2;",
    replace: "const start: usize = 0;",
    tests: ["rotary"],
  },
  {
    rule: "rotary: rotaryStart and rotaryDim fit into a head",
    find: "if (rotaryStart + rotaryDim > headDim) {",
    replace: "if (rotaryDim > headDim) {",
    tests: ["rotary"],
  },
  {
    rule: "rotary: positions select rows of the tables",
    find: "tables ? rowPositions[row]! : row;",
    replace: "row;",
    tests: ["rotary"],
  },
  {
    rule: "rotary: each sequence has its offset",
    find: "isShared ? token % seqLen : token",
    replace: "token % seqLen",
    tests: ["rotary"],
  },
  {
    rule: "rotary: angles up to 2²⁹ are reduced by all parts of π/2",
    find: " - n * HALF_PI3 - n * HALF_PI4;",
    replace: " - n * HALF_PI3;",
    tests: ["rotary"],
  },
  {
    rule: "rotary: all quarters of the circle are right",
    find: "quarter == 1 || quarter == 2 ? -cos : cos",
    replace: "quarter == 1 ? -cos : cos",
    tests: ["rotary"],
  },
  {
    rule: "rotary: frequencies follow from base",
    find: "<f64>(2 * i)",
    replace: "<f64>i",
    tests: ["rotary"],
  },
  {
    rule: "rotary: the logarithm includes the exponent",
    find: "(bits - 0x3fe6a09e667f3bcd) >> 52",
    replace: "(bits - 0x3ff0000000000000) >> 53",
    tests: ["rotary"],
  },
];
