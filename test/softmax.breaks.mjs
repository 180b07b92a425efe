// Softmax along an axis. See scripts/breaks.mjs.

export default [
  {
    rule: "softmax: the largest score is subtracted",
    find: "  const most = maximum(src, p.length);",
    replace: "  const most = maximum(src, p.length) * 0.5;",
    tests: ["softmax"],
  },
  {
    rule: "softmax: NaN is found before exponentials overwrite the scores",
    find: "(src == dst && holdsNaN(src, p.length))",
    replace: "false",
    tests: ["softmax"],
  },
  {
    rule: "softmax: a row with NaN or +∞ is NaN, but −∞ has weight 0",
    find: "== -Infinity ? absent : NaN);",
    replace: "!= load<f32>(src + at) ? NaN : absent);",
    tests: ["softmax"],
  },
  {
    rule: "softmax: elements after the last panel are summed",
    find: "v128.and(p4567, firstLanes(upperLanes(rest)))",
    replace: "f32x4.splat(0)",
    tests: ["softmax"],
  },
  {
    rule: "softmax: lanes beyond the end of a row are not summed",
    find: "v128.and(p0123, firstLanes(lowerLanes(rest)))",
    replace: "p0123",
    tests: ["softmax"],
  },
  {
    rule: "softmax: nothing is stored beyond the end of a row",
    find: "if (count > 2) v128.store32_lane(ptr, x, 2, 8);",
    replace: "v128.store32_lane(ptr, x, 2, 8);",
    tests: ["softmax"],
  },
  {
    rule: "softmax: sums are joined in float64",
    file: "softmax.ts",
    find: "let sum: f64 = 0;",
    replace: "let sum: f32 = 0;",
    tests: ["softmax"],
  },
  {
    rule: "softmax: the logarithm of the sum is not lost in the shift",
    find: "f32x4.sub(f32x4.sub(v128.load(src), shifts), logSums)",
    replace: "f32x4.sub(v128.load(src), f32x4.add(shifts, logSums))",
    tests: ["softmax"],
  },
  {
    rule: "softmax: columns next to one that is NaN are not NaN",
    find: "v128.or(v128.load(workspace + at, FILLED), f32x4.ne(s, s));",
    replace: "v128.or(v128.load(workspace + at, FILLED), i32x4.splat(i32(v128.any_true(f32x4.ne(s, s)) ? -1 : 0)));",
    tests: ["softmax"],
  },
  {
    rule: "softmax: a column of −∞ is 0",
    find: "v128.bitselect(one, f32x4.div(one, sum), filled)",
    replace: "f32x4.div(one, sum)",
    tests: ["softmax"],
  },
  {
    rule: "softmax: all blocks of a column count",
    find: "if ((j + 1) % BLOCK == 0 || j + 1 == p.length)",
    replace: "if ((j + 1) % BLOCK == 0 || (p.length < BLOCK && j + 1 == p.length))",
    tests: ["softmax"],
  },
  {
    rule: "softmax: columns are scaled",
    find: "softmaxTile(p, workspace, p.x + offset, dst, columns, p.scale);",
    replace: "softmaxTile(p, workspace, p.x + offset, dst, columns, 1);",
    tests: ["softmax"],
  },
  {
    rule: "softmax: a bias of −∞ is tested before it is added, one by one",
    find: "return bias == -Infinity ? -Infinity : x * scale + bias;",
    replace: "return x * scale + bias;",
    tests: ["softmax"],
  },
  {
    rule: "softmax: a bias of −∞ is tested before it is added, in vectors",
    file: "softmaxMask.ts",
    find: "v128.bitselect(invisible, sum, f32x4.eq(bias, invisible))",
    replace: "sum",
    tests: ["softmax"],
  },
  {
    rule: "softmax: elements beyond a short mask are hidden",
    find: "j < p.covered ? visibleScore(",
    replace: "j < p.length ? visibleScore(",
    tests: ["softmax"],
  },
  {
    rule: "softmax: outer axes select the part of a mask",
    find: "index /= params.size;",
    replace: "index >>= 1;",
    tests: ["softmax"],
  },
  {
    rule: "softmax: negative axes count from the end",
    find: "return index < 0 ? rank + index : index;",
    replace: "return index < 0 ? rank - 1 : index;",
    tests: ["softmax"],
  },
  {
    rule: "softmax: e^d is 0 far below the largest",
    find: "f32x4.pmax(x, constant(LOWEST_OF_E))",
    replace: "x",
    tests: ["softmax"],
  },
];
