// Caches of int8. See scripts/breaks.mjs.

const INT8 = ["int8"];

export default [
  {
    rule: "int8: the largest element becomes 127 steps",
    find: "const scale = most / INT8_LIMIT;",
    replace: "const scale = most / 128;",
    tests: INT8,
  },
  {
    rule: "int8: numbers that are not finite are refused",
    find: "if (!(most < Infinity)) return NaN;",
    replace: "",
    tests: INT8,
  },
  {
    rule: "int8: sums of a long head fit into int32",
    find: "min(INT16_LIMIT, <f32>(i32.MAX_VALUE / (<i32>INT8_LIMIT * 2 * <i32>pairsOf(headDim))))",
    replace: "INT16_LIMIT",
    tests: INT8,
  },
  {
    rule: "int8: queries have 16 bits, not 8",
    find: "const INT16_LIMIT: f32 = 32767;",
    replace: "const INT16_LIMIT: f32 = 127;",
    tests: INT8,
  },
  {
    rule: "int8: the weights of each row are rounded separately",
    find: "store<f32>(scales + (r << 2), quantizeWeights(",
    replace: "store<f32>(scales, quantizeWeights(",
    tests: INT8,
  },
  {
    rule: "int8: the last key of an odd number counts",
    find: "const pairs = pairsOf(keys);",
    replace: "const pairs = max<usize>(1, keys >> 1);",
    tests: INT8,
  },
  {
    rule: "int8: the channel after the last of an odd number is 0",
    find: "channel + 1 < headDim ? load<u16>(bytesPtr + channel) : <u16>load<u8>(bytesPtr + channel)",
    replace: "load<u16>(bytesPtr + channel)",
    tests: INT8,
  },
  {
    rule: "int8: each key has its own scale",
    find: "this.layout.keyScales(this.block(key), this.headOfBlock) + ((key % BLOCK) << 2)",
    replace: "this.layout.keyScales(this.block(key), this.headOfBlock)",
    tests: INT8,
  },
  {
    rule: "int8: restore takes bytes and scales unchanged",
    find: "...(scales && {",
    replace: "...(scales && areResults && {",
    tests: INT8,
  },
  {
    rule: "int8: scales of an image are checked",
    find: "if (scales && !(scales.k.every(isScale) && scales.v.every(isScale))) throw",
    replace: "if (scales && !(scales.k.length && scales.v.length)) throw",
    tests: INT8,
  },
  {
    rule: "int8: small numbers are divided by their step, because its reciprocal may be infinite",
    find: "const n = f32x4.nearest(f32x4.div(x, step));",
    replace: "const n = f32x4.nearest(f32x4.mul(x, f32x4.div(f32x4.splat(1), step)));",
    tests: INT8,
  },
  {
    rule: "int8: the scales of a score are not multiplied by each other",
    find: "const c0123 = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sum0123), aScale), v128.load(bScalesPtr));",
    replace: "const c0123 = f32x4.mul(f32x4.convert_i32x4_s(sum0123), f32x4.mul(aScale, v128.load(bScalesPtr)));",
    tests: INT8,
  },
  {
    rule: "int8: no byte of an image is −128",
    find: "if (scales && (k.includes(MINUS_128) || v.includes(MINUS_128))) throw",
    replace: "if (scales && k.length + v.length === MINUS_128 && k.includes(MINUS_128)) throw",
    tests: INT8,
  },
];
