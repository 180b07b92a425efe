// Attention to chosen keys, and to windows around centres. See scripts/breaks.mjs.

const TESTS = ["topKAttention", "hardAttention", "localAttention"];
const [TOP_K, HARD, LOCAL] = TESTS.map((name) => [name]);

export default [
  {
    rule: "choices: of equal scores those of lower keys are kept",
    find: "(<i64>~(<u32>key))",
    replace: "(<i64>(<u32>key))",
    tests: TOP_K,
  },
  {
    rule: "choices: NaN is above all numbers",
    find: "score != score ? RANK_OF_NAN :",
    replace: "score != score ? i32.MIN_VALUE + 1 :",
    tests: [...TOP_K, ...HARD],
  },
  {
    rule: "choices: negative scores have the order of numbers",
    find: "bits < 0 ? bits ^ MAGNITUDE : bits;",
    replace: "bits;",
    tests: TOP_K,
  },
  {
    rule: "choices: a heap lowers a place to the lesser of two children",
    find: "if (isRightLess) child++;",
    replace: "",
    tests: TOP_K,
  },
  {
    rule: "choices: weights are those of the keys that are kept",
    file: "scoresAndWeights.ts",
    find: "    keptScores(p, workspace, strip, firstKey, endKey, workspace.scores);",
    replace: "    visibleScores(p, workspace, strip, firstKey, endKey, workspace.scores);",
    tests: TOP_K,
  },
  {
    rule: "choices: threads do not share the keys of a strip that chooses",
    file: "topK.ts",
    find: "isWhole: true,",
    replace: "",
    tests: TOP_K,
    needsThreads: true,
  },
  {
    rule: "choices: sinks do not count where one key is taken",
    find: "sinks: 0, // they have no value to take",
    replace: "",
    tests: HARD,
  },
  {
    rule: "choices: picks are indices in k",
    find: "<f32>(<usize>row.pick + strip.sequence.keyStart)",
    replace: "<f32>row.pick",
    tests: HARD,
  },
  {
    rule: "choices: a sample depends on the row's position",
    find: "row.head, row.position);",
    replace: "row.head, 0);",
    tests: HARD,
  },
  {
    rule: "choices: a sample depends on the sequence",
    find: "uniform(p.seed, strip.sequenceNumber(p), row.head",
    replace: "uniform(p.seed, 0, row.head",
    tests: HARD,
  },
  {
    rule: "choices: seeds and sequences do not add up to the same samples",
    find: "let state = mixed(GOLDEN_GAMMA + <u64>seed);",
    replace: "let state: u64 = seed;",
    tests: HARD,
  },
  {
    rule: "choices: the total of exponentials follows the maximum",
    find: "if (row.max != -Infinity) row.total *= exp2Neg1(row.max - max);",
    replace: "",
    tests: HARD,
  },
  {
    rule: "choices: the softmax begins without the maximum of the sample",
    find: "strip.row(r).max = -Infinity; // as the softmax begins",
    replace: "strip.row(r).max = Infinity;",
    tests: HARD,
  },
  {
    rule: "local attention: windows include both ends",
    find: "Math.floor(centre + <f64>p.halfWidth) + 1)",
    replace: "Math.floor(centre + <f64>p.halfWidth))",
    tests: LOCAL,
  },
  {
    rule: "local attention: a strip sees the windows of all its rows",
    find: "end = max(end, row.localTo);",
    replace: "end = row.localTo;",
    tests: LOCAL,
  },
  {
    rule: "local attention: the window hides sink tokens before it",
    find: "row.localFrom > <i32>firstKey)",
    replace: "row.localFrom > i32.MAX_VALUE - 1)",
    tests: LOCAL,
  },
  {
    rule: "local attention: weights, too, are multiplied by the Gaussian",
    find: "if (HAS_EVERY_OPTION) weighDistances(p, row, firstKey, rowScores, bytes);\n      memory.copy(",
    replace: "memory.copy(",
    tests: LOCAL,
  },
  {
    rule: "local attention: the Gaussian is no part of the sum, unless renormalized",
    find: 'isBias ? "bias" : "factor"',
    replace: 'isBias ? "bias" : "bias"',
    tests: LOCAL,
  },
  {
    rule: "local attention: the exponent is added on the scale of the scores",
    find: "f32x4.splat(<f32>(-2 * factor));",
    replace: "f32x4.splat(-2);",
    tests: LOCAL,
  },
  {
    rule: "local attention: σ is half of the half width",
    find: "const SLOPE = memory.data<f32>([<f32>(-2 * LOG2E)]);",
    replace: "const SLOPE = memory.data<f32>([<f32>(-0.5 * LOG2E)]);",
    tests: LOCAL,
  },
  {
    rule: "local attention: predicted centres are parts of the sequence's own keys",
    find: "(centre * <f64>sequence.keyLength)",
    replace: "(centre * <f64>p.kvLen)",
    tests: LOCAL,
  },
  {
    rule: "local attention: each head has its predictor",
    find: "score.ptr + 4 * head * headStrideOf(score, 1)",
    replace: "score.ptr",
    tests: LOCAL,
  },
];
