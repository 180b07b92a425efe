// The rules of determinism, and the form of the inner loops. See scripts/breaks.mjs.

const DETERMINISM = ["determinism"];

import { ATTENTION_TESTS } from "./support/attentionTests.mjs";

export default [
  // Determinism
  {
    rule: "determinism 1: blocks begin at key indices that are multiples of BLOCK",
    find: "return this.sinkEnd ? 0 : floorBlock(",
    replace: "return this.sinkEnd ? 0 : floorPanel(",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 2: the scale is applied at the same point for every tile",
    file: "multiplyStrip.ts",
    find: "let a = v128.load32_splat(rowPtr);",
    replace: "let a = v128.load32_splat(rowPtr); if (rows == 1) a = f32x4.mul(a, f32x4.splat(1.0000001));",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 3: the maximum is per row",
    find: "raiseMax(strip, r, rowMax(rowScores, bytes));",
    replace: "raiseMax(strip, r, rowMax(rowScores - r * ROW_BYTES, bytes));",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 4: lane = index mod 8, a fixed tree",
    file: "scoreRows.ts",
    find: "v128.store(scoresPtr, p4567, 16);\n    sum0123 = f32x4.add(sum0123, p0123);\n    sum4567 = f32x4.add(sum4567, p4567);\n  }\n",
    replace:
      "v128.store(scoresPtr, p4567, 16);\n    sum0123 = f32x4.add(sum0123, p0123);\n    sum0123 = f32x4.add(sum0123, p4567);\n  }\n",
    tests: ["exp"],
  },
  {
    rule: "determinism 4: rescaling is decided per row",
    find: "row.max == -Infinity ? 0 : row.max",
    replace: "row.max == -Infinity ? 0 : row.max + <f32>(row.q & 4096 ? 0.5 : 0)",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 5: keys in order, one accumulator per output element",
    find: "  else accumulateTile1x32(aPtr, bPtr, bPanelBytes, cPtr, steps, panels);",
    replace:
      "  else { const half = steps >> 1; accumulateTile1x32(aPtr + (half << 2), bPtr + half * PANEL_BYTES, bPanelBytes, cPtr, steps - half, panels); if (half) accumulateTile1x32(aPtr, bPtr, bPanelBytes, cPtr, half, panels); }",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 10: asking for weights changes no bit of out",
    file: "attention.ts",
    find: "takeBlock(p, workspace, strip, firstKey, endKey);",
    replace: "takeBlock(p, workspace, strip, firstKey, endKey); if (p.weights) strip.row(0).sum *= <f32>1.000001;",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 13: only sqrt of the host's Math is used",
    find: "1 / Math.sqrt(shape.headDim)",
    replace: "Math.pow(shape.headDim, -0.5)",
    tests: ["codegen"],
  },

  // The inner loops
  {
    rule: "no vector literal in a loop",
    find: "const caps = f32x4.splat(softcap);",
    replace: "const caps = f32x4.mul(f32x4.splat(softcap), f32x4.splat(1.5));",
    tests: ["codegen"],
  },
  {
    rule: "a strip processes only the keys of its own rows",
    find: "<i32>((t - numRows) / groupSize), <i32>((t - 1) / groupSize)",
    replace: "0, <i32>p.seqLen - 1",
    tests: ["work"],
  },
  {
    rule: "a band processes the keys of all its strips",
    find: "<i32>((end - 1) / groupSize)",
    replace: "<i32>(first / groupSize)",
  },
  {
    rule: "a strip skips blocks that only other strips of its band see",
    find: "return this.firstKey(block) < this.endKey(block);",
    replace: "return true;",
    tests: ["parity", "determinism"],
  },
  {
    rule: "packing ends at the last visible key",
    find: "isEveryScoreWanted ? sequenceOf(p, sequence).extraEnd : band.to",
    replace: "sequenceOf(p, sequence).extraEnd",
    tests: ["work"],
  },
  {
    rule: "out may be the tensor q itself",
    find: "result === attention.results.out ? [query] : []",
    replace: "[]",
  },
  {
    rule: "a call that fails leaves out unchanged: operands are checked after the options are read",
    find: "assertUnchanged(this, this.operands);",
    replace: "",
  },
  {
    rule: "queryOffset may differ by sequence",
    find: "offsets[index]! - origin",
    replace: "offsets[0]! - origin",
  },
].map((each) => ({ tests: ATTENTION_TESTS, ...each }));
