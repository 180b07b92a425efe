// Activation functions. See scripts/breaks.mjs.

export default [
  {
    rule: "activation: gelu and silu never multiply infinity by 0",
    find: "return f32x4.pmin(f32x4.abs(x), constant(FAR));",
    replace: "return f32x4.abs(x);",
    tests: ["activate"],
  },
  {
    rule: "activation: relu passes NaN through",
    find: "RELU) return f32x4.pmax(x, f32x4.splat(0));",
    replace: "RELU) return f32x4.pmax(f32x4.splat(0), x);",
    tests: ["activate"],
  },
  {
    rule: "activation: the exponent of gelu is not rounded",
    find: "expMinusOne(f32x4.add(remainder(bounded, shifted), low))",
    replace: "expMinusOne(remainder(bounded, shifted))",
    tests: ["activate"],
  },
  {
    rule: "activation: e^x is 0 below the limit",
    file: "exp.ts",
    find: "return f32x4.pmax(x, constant(LOWEST));",
    replace: "return x;",
    tests: ["activate"],
  },
  {
    rule: "activation: the sigmoid of negative numbers is e^x / (1 + e^x)",
    find: "v128.bitselect(one, power, f32x4.ge(x, f32x4.splat(0)))",
    replace: "one",
    tests: ["activate"],
  },
  {
    rule: "activation: the functions have their numbers",
    find: "  GELU = 0,\n  GELU_TANH = 1,",
    replace: "  GELU = 1,\n  GELU_TANH = 0,",
    tests: ["activate"],
  },
  {
    rule: "activation: elements after the last full vector are computed",
    find: "activate4(v128.load32_splat(src), kind), 0)",
    replace: "v128.load32_splat(src), 0)",
    tests: ["activate"],
  },
  {
    rule: "activation: the gate is multiplied",
    find: "if (p.gate) gateRow",
    replace: "if (!p.gate) gateRow",
    tests: ["activate"],
  },
  {
    rule: "activation: each unit has its own gate",
    find: "p.gate + offset, count);",
    replace: "p.gate, count);",
    tests: ["activate"],
  },
];
