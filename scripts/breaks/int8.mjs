// Caches of int8. See index.mjs.

const INT8 = ["int8"];

export default [
  {
    rule: "int8: the largest element becomes 127 steps",
    file: "assembly/quantize.ts",
    find: "const scale = most / INT8_LIMIT;",
    replace: "const scale = most / 128;",
    tests: INT8,
  },
  {
    rule: "int8: what is not finite is refused",
    file: "assembly/quantize.ts",
    find: "if (!(most < Infinity)) return NaN;",
    replace: "",
    tests: INT8,
  },
  {
    rule: "int8: sums of a long head fit into int32",
    file: "assembly/quantize.ts",
    find: "min(INT16_LIMIT, <f32>(i32.MAX_VALUE / (<i32>INT8_LIMIT * 2 * <i32>pairsOf(headDim))))",
    replace: "INT16_LIMIT",
    tests: INT8,
  },
  {
    rule: "int8: queries have 16 bits, not 8",
    file: "assembly/quantize.ts",
    find: "const INT16_LIMIT: f32 = 32767;",
    replace: "const INT16_LIMIT: f32 = 127;",
    tests: INT8,
  },
  {
    rule: "int8: a row's weights are rounded by themselves",
    file: "assembly/onlineSoftmax.ts",
    find: "store<f32>(sparePtr + (r << 2), quantizeWeights(",
    replace: "store<f32>(sparePtr, quantizeWeights(",
    tests: INT8,
  },
  {
    rule: "int8: the last key of an odd number counts",
    file: "assembly/onlineSoftmax.ts",
    find: "const pairs = pairsOf(keys);",
    replace: "const pairs = max<usize>(1, keys >> 1);",
    tests: INT8,
  },
  {
    rule: "int8: the channel after the last of an odd number is 0",
    file: "assembly/pairPanels.ts",
    find: "channel + 1 < headDim ? load<u16>(bytesPtr + channel) : <u16>load<u8>(bytesPtr + channel)",
    replace: "load<u16>(bytesPtr + channel)",
    tests: INT8,
  },
  {
    rule: "int8: a key's scale is its own",
    file: "assembly/panels.ts",
    find: "this.layout.keyScales(this.block(key), this.headOfBlock) + ((key % BLOCK) << 2)",
    replace: "this.layout.keyScales(this.block(key), this.headOfBlock)",
    tests: INT8,
  },
  {
    rule: "int8: restore takes bytes and scales as they are",
    file: "src/layers/kvCache.ts",
    find: "...(scales && {",
    replace: "...(scales && areResults && {",
    tests: INT8,
  },
  {
    rule: "int8: scales of an image are checked",
    file: "src/layers/cacheImage.ts",
    find: "if (scales && !(scales.k.every(isScale) && scales.v.every(isScale))) throw",
    replace: "if (scales && !(scales.k.length && scales.v.length)) throw",
    tests: INT8,
  },
  {
    rule: "int8: small numbers are divided by their step, whose reciprocal may be infinite",
    file: "assembly/quantize.ts",
    find: "const n = f32x4.nearest(f32x4.div(x, step));",
    replace: "const n = f32x4.nearest(f32x4.mul(x, f32x4.div(f32x4.splat(1), step)));",
    tests: INT8,
  },
  {
    rule: "int8: the scales of a score are not multiplied with each other",
    file: "assembly/scores.ts",
    find: "sum0123 = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sum0123), qScale), v128.load(kScalesPtr));",
    replace: "sum0123 = f32x4.mul(f32x4.convert_i32x4_s(sum0123), f32x4.mul(qScale, v128.load(kScalesPtr)));",
    tests: INT8,
  },
  {
    rule: "int8: no byte of an image is −128",
    file: "src/layers/cacheImage.ts",
    find: "if (scales && (k.includes(MINUS_128) || v.includes(MINUS_128))) throw",
    replace: "if (scales && k.length + v.length === MINUS_128 && k.includes(MINUS_128)) throw",
    tests: INT8,
  },
];
