// Sums of two tensors. See scripts/breaks.mjs.

export default [
  {
    rule: "add: neighbouring axes are merged only if all tensors pass them as one",
    find: "if (inner && strides.every(",
    replace: "if (inner && strides.some(",
    tests: ["add"],
  },
  {
    rule: "add: axes of size 1 are left out",
    find: "    if (size === 1) continue;\n    const strides",
    replace: "    const strides",
    tests: ["add"],
  },
  {
    rule: "add: neighbouring axes that are broadcast alike are merged",
    find: "stride === inner.size * inner.strides[index]!",
    replace: "false",
    tests: ["add"],
  },
  {
    rule: "add: the tensor with whole rows comes first",
    find: "axes.at(-1)!.strides[0] === 0 ?",
    replace: "axes.at(-1)!.strides[0] === -1 ?",
    tests: ["add"],
  },
  {
    rule: "add: one number of b serves a row where b has no more",
    find: "if (axisAt(p, p.numAxes - 1).bStride) addRows",
    replace: "if (true) addRows",
    tests: ["add"],
  },
  {
    rule: "add: a unit may begin within a row",
    find: "let column = at % length;\n  let row",
    replace: "let column: usize = 0;\n  let row",
    tests: ["add"],
    needsThreads: true,
  },
  {
    rule: "add: a unit may begin at any row of the last two axes",
    find: "let row = (at / length) % rows;",
    replace: "let row: usize = 0;",
    tests: ["add"],
    needsThreads: true,
  },
  {
    rule: "add: a unit may begin anywhere in the outer axes",
    find: "index = at / length / rows; axis > 0;",
    replace: "index: usize = 0; axis > 0;",
    tests: ["add"],
    needsThreads: true,
  },
  {
    rule: "add: an outer axis that has ended begins again",
    find: "      a -= (outer.size * outer.aStride) << 2;\n      b -= (outer.size * outer.bStride) << 2;",
    replace: "",
    tests: ["add"],
  },
  {
    rule: "add: short rows are put side by side only where all are the same",
    find: "return axisAt(p, 0).bStride == 0 && axisAt(p, 1).bStride == 1;",
    replace: "return axisAt(p, 1).bStride == 1;",
    tests: ["add"],
  },
  {
    rule: "add: a pattern of short rows begins with the element of its unit",
    find: "ptr = pattern, column = at % length;",
    replace: "ptr = pattern, column: usize = 0;",
    tests: ["add"],
    needsThreads: true,
  },
  {
    rule: "add: a pattern of short rows is a multiple of them",
    find: "const whole = (PATTERN / length) * length;",
    replace: "const whole = PATTERN;",
    tests: ["add"],
  },
  {
    rule: "add: elements after the last full vector are summed",
    find: "store<f32>(dst, load<f32>(a) + load<f32>(b));",
    replace: "store<f32>(dst, load<f32>(a));",
    tests: ["add"],
  },
  {
    rule: "add: out may be the second tensor",
    find: "call.close(() => [left, right]);",
    replace: "call.close(() => [left]);",
    tests: ["add"],
  },
  {
    rule: "add: sizes that do not broadcast are refused",
    find: "else if (size !== 1 && size !== full[axis]) return undefined;",
    replace: "else if (size > 1 && size !== full[axis]) return undefined;",
    tests: ["add"],
  },
];
