// The build for registers of 256 bits. See scripts/breaks.mjs.

export default [
  {
    rule: "wide: an odd panel comes last",
    find: "bPtr += even * steps * PANEL_BYTES;",
    replace: "",
    tests: ["wide"],
    needsWide: true,
  },
  {
    rule: "wide: an odd panel of values has its own sums",
    file: "accumulateRows.ts",
    find: "cPtr += even * (<usize>rows * PANEL_BYTES);",
    replace: "",
    tests: ["wide"],
    needsWide: true,
  },
  {
    rule: "wide: the flag stays unchanged where the build cannot run",
    find: "  assertWide(operation);\n  nodeProcess()",
    replace: "  nodeProcess()",
    tests: ["wide"],
  },
  {
    rule: "wide: V8 before 13.6 gains nothing",
    find: "(major === 13 && minor >= 6)",
    replace: "major === 13",
    tests: ["wide"],
  },
  {
    rule: "wide: bits do not depend on the build",
    find: "if (IS_RELAXED) return f32x4.relaxed_madd(a, b, c);",
    replace: "if (IS_RELAXED && !IS_WIDE) return f32x4.relaxed_madd(a, b, c);",
    tests: ["wide"],
    needsWide: true,
  },
];
