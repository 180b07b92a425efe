// One-line breaks, at least one for each rule of attention and each rule of determinism that is built. Each must turn the suite red.
// `find` stands exactly once in `file`. `tests` narrows the suite to the files that have to notice.

const DETERMINISM = ["determinism"];

export const BREAKS = [
  // Scores
  {
    rule: "scale defaults to 1/√headDim, of q and not of v",
    file: "src/ops/attentionCall.ts",
    find: "1 / Math.sqrt(shape.headDim)",
    replace: "1 / Math.sqrt(shape.valueDim)",
  },
  {
    rule: "q·k runs over every channel",
    file: "assembly/scores.ts",
    find: "} while (kPanelPtr < panelEnd);",
    replace: "} while (kPanelPtr + 32 < panelEnd);",
  },
  {
    rule: "softcap · tanh(score / softcap)",
    file: "assembly/softmax.ts",
    find: "f32x4.mul(caps, tanh4(",
    replace: "f32x4.mul(f32x4.splat(1), tanh4(",
  },
  { rule: "softcap 0 is off", file: "assembly/attention.ts", find: "p.softcap != 0);", replace: "true);" },
  {
    rule: "bias is added",
    file: "assembly/mask.ts",
    find: "f32x4.add(v128.load(scoresPtr), bias)",
    replace: "f32x4.sub(v128.load(scoresPtr), bias)",
  },
  {
    rule: "a bias of −∞ is tested before it is added",
    file: "assembly/mask.ts",
    find: "v128.bitselect(invisible, sum, f32x4.eq(bias, invisible))",
    replace: "sum",
  },
  {
    rule: "bias broadcasts along keys",
    file: "assembly/mask.ts",
    find: "const step = keyStride << 4;",
    replace: "const step = 16;",
  },
  {
    rule: "tanh has no cancellation",
    file: "assembly/exp.ts",
    find: "scale, f32x4.sub(scale, constant(ONE)));",
    replace: "scale, f32x4.sub(constant(ONE), scale));",
  },

  // Which keys are visible
  {
    rule: "mask: other than 0 may attend",
    file: "assembly/mask.ts",
    find: "if (!load<u8>(maskPtr))",
    replace: "if (load<u8>(maskPtr))",
  },
  {
    rule: "mask in the upper half of a panel",
    file: "assembly/mask.ts",
    find: "i32x4.extend_high_i16x8_u(flags)",
    replace: "i32x4.extend_low_i16x8_u(flags)",
  },
  {
    rule: "masks are aligned to the right",
    file: "src/shape.ts",
    find: "dims[axis - 4 + dims.length] ?? 1",
    replace: "dims[axis] ?? 1",
  },
  {
    rule: "a last axis that is shorter hides the rest",
    file: "src/ops/attentionCall.ts",
    find: "Math.min(keyLength, coveredKeys)",
    replace: "keyLength",
  },
  {
    rule: "causal true is lower-right",
    file: "src/ops/attentionCall.ts",
    find: "isUpperLeft ? 0 : keyLength - queryLength",
    replace: "0",
  },
  {
    rule: "upper-left starts at 0",
    file: "src/ops/attentionCall.ts",
    find: "isUpperLeft ? 0 : keyLength - queryLength",
    replace: "keyLength - queryLength",
  },
  {
    rule: "the position counts from keyLength − queryLength, not kvLen − seqLen",
    file: "src/ops/attentionCall.ts",
    find: "isUpperLeft ? 0 : keyLength - queryLength",
    replace: "isUpperLeft ? 0 : kvLen - seqLen",
  },
  {
    rule: "a causal row sees its own position",
    file: "assembly/mask.ts",
    find: "min(sequence.keyLength, position + 1)",
    replace: "min(sequence.keyLength, position)",
  },
  {
    rule: "queryOffset goes before the alignment",
    file: "src/ops/attentionCall.ts",
    find: "queryOffsets?.[batch] ??",
    replace: "",
  },
  {
    rule: "the window's left end is included",
    file: "assembly/mask.ts",
    find: "position - p.windowLeft)",
    replace: "position - p.windowLeft + 1)",
  },
  {
    rule: "the window's right end is included",
    file: "assembly/mask.ts",
    find: "position + p.windowRight + 1",
    replace: "position + p.windowRight",
  },
  { rule: "window −1 is unlimited", file: "assembly/mask.ts", find: "p.windowLeft < 0 ? 0 :", replace: "p.windowLeft < -1 ? 0 :" },
  { rule: "sink tokens escape the window", file: "assembly/mask.ts", find: "min(p.sinkTokens, limit)", replace: "min(0, limit)" },
  {
    rule: "sink tokens obey causal and lengths",
    file: "assembly/mask.ts",
    find: "min(p.sinkTokens, limit)",
    replace: "p.sinkTokens",
  },
  { rule: "keyLengths end the keys", file: "src/ops/attentionCall.ts", find: "keyLengths?.[batch] ?? kvLen", replace: "kvLen" },
  { rule: "queryLengths end the rows", file: "assembly/mask.ts", find: "min(last, sequence.queryLength - 1)", replace: "last" },

  // Invisible means absent
  {
    rule: "keys beyond a row's range are −∞",
    file: "assembly/mask.ts",
    find: "hideKeys(origin, max(first, range.to), last);",
    replace: "",
  },
  {
    rule: "keys before a row's range are −∞",
    file: "assembly/mask.ts",
    find: "hideKeys(origin, max(first, range.sinkEnd), min(last, range.from));",
    replace: "",
  },
  {
    rule: "blocks whose values are not finite go row by row",
    file: "assembly/pack.ts",
    find: "return !v128.any_true(f32x4.ne(zeros, zeros));",
    replace: "return true;",
  },
  {
    rule: "row by row leaves invisible keys out",
    file: "assembly/values.ts",
    find: "if (load<f32>(scoresPtr + (j << 2)) == -Infinity) continue;",
    replace: "",
  },
  {
    rule: "a visible weight that underflows still counts",
    file: "assembly/values.ts",
    find: "if (load<f32>(scoresPtr + (j << 2)) == -Infinity) continue;",
    replace: "if (load<f32>(weightsPtr + (j << 2)) == 0) continue;",
  },
  {
    rule: "a row that sees no key is 0",
    file: "assembly/attention.ts",
    find: "row.sum == 0 ? 0 : <f32>1 / row.sum",
    replace: "<f32>1 / row.sum",
  },
  {
    rule: "−∞ − (−∞) is not formed",
    file: "assembly/attention.ts",
    find: "row.max == -Infinity ? 0 : row.max",
    replace: "row.max",
  },
  {
    rule: "NaN comes through exp",
    file: "assembly/exp.ts",
    find: "const shifted = shiftedExponent(x);",
    replace: "x = f32x4.pmax(constant(LOWEST), x); const shifted = shiftedExponent(x);",
  },
  { rule: "exp flushes to exactly 0", file: "assembly/exp.ts", find: "f32x4.lt(x, constant(LOWEST))", replace: "f32x4.splat(0)" },
  { rule: "exp(0) is exactly 1", file: "assembly/exp.ts", find: "0.5, 1, 2, -2", replace: "0.5, 1.0000001, 2, -2" },
  {
    rule: "exp keeps its bound",
    file: "assembly/exp.ts",
    find: "0.00835834164172411",
    replace: "0.00836834164172411",
    tests: ["exp"],
  },

  // Softmax
  { rule: "earlier blocks are rescaled", file: "assembly/attention.ts", find: "row.sum *= factor;", replace: "" },
  {
    rule: "earlier values are rescaled",
    file: "assembly/attention.ts",
    find: "rescaleRow(accPtr, accBytes, panels, factor);",
    replace: "",
  },
  {
    rule: "logSumExp is maximum + ln sum",
    file: "assembly/attention.ts",
    find: "row.max + Mathf.log(row.sum)",
    replace: "row.max - Mathf.log(row.sum)",
  },
  { rule: "sinks count in the sum", file: "assembly/attention.ts", find: "row.sum += exp1(row.sink - row.max);", replace: "" },
  {
    rule: "a sink may be the maximum",
    file: "assembly/attention.ts",
    find: "raiseMax(row, row.sink, accPtr, accBytes, panels);",
    replace: "",
  },
  {
    rule: "a row without keys has the sink as its logSumExp",
    file: "assembly/attention.ts",
    find: "row.max = row.sink;",
    replace: "",
  },
  {
    rule: "sinks belong to heads",
    file: "assembly/strip.ts",
    find: "load<f32>(p.sinks + (head << 2))",
    replace: "load<f32>(p.sinks)",
  },
  {
    rule: "weights are normalised",
    file: "assembly/softmax.ts",
    find: "f32x4.mul(exp4(f32x4.sub(s, shifts)), factors)",
    replace: "exp4(f32x4.sub(s, shifts))",
  },
  {
    rule: "invisible weights are 0 in a row that is NaN",
    file: "assembly/softmax.ts",
    find: "v128.andnot(w, f32x4.eq(s, invisible))",
    replace: "w",
  },
  {
    rule: "weights are written whole",
    file: "assembly/attention.ts",
    find: "memory.fill(strip.row(r).weights, 0, p.kvLen << 2);",
    replace: "{}",
  },
  {
    rule: "scores at stage capped hold every pair",
    file: "assembly/attention.ts",
    find: "const isEveryScoreWanted = p.scores && p.scoresStage != ScoresStage.BIASED;",
    replace: "const isEveryScoreWanted = false;",
  },
  {
    rule: "scores at stage scaled are not capped",
    file: "assembly/attention.ts",
    find: "p.softcap != 0 && p.scoresStage == ScoresStage.CAPPED",
    replace: "p.softcap != 0",
  },

  // Heads, layouts, types
  {
    rule: "groups of query heads are contiguous",
    file: "assembly/strip.ts",
    find: "kvHead * groupSize + (t % groupSize)",
    replace: "kvHead + p.numKvHeads * (t % groupSize)",
  },
  {
    rule: "layouts are strides",
    file: "src/shape.ts",
    find: 'return layout === "bshd" ? { row: heads * channels',
    replace: 'return layout !== "bshd" ? { row: heads * channels',
  },
  {
    rule: "valueDim may differ from headDim",
    file: "src/ops/scaledDotProductAttention.ts",
    find: "stridesOf(layout, kvLen, numKvHeads, valueDim)",
    replace: "stridesOf(layout, kvLen, numKvHeads, headDim)",
  },
  {
    rule: "odd columns are packed",
    file: "assembly/pack.ts",
    find: "byte < tail; byte += 4",
    replace: "byte + 4 < tail; byte += 4",
  },
  {
    rule: "odd channels are packed",
    file: "assembly/pack.ts",
    find: "for (; left > 0; left--) {",
    replace: "for (; left > 1; left--) {",
  },
  { rule: "rows are written up to valueDim", file: "assembly/values.ts", find: "(valueDim - column) << 2", replace: "PANEL_BYTES" },
  { rule: "float16 subnormals and exponents", file: "assembly/float16.ts", find: "5.192296858534828e33", replace: "5.2e33" },
  {
    rule: "float16 Infinity and NaN",
    file: "assembly/float16.ts",
    find: "return v128.or(v128.or(value, special), sign);",
    replace: "return v128.or(value, sign);",
  },

  // Determinism
  {
    rule: "determinism 1: blocks begin at multiples of BLOCK of the key's index",
    file: "assembly/strip.ts",
    find: "return this.sinkEnd ? 0 : floorBlock(this.from);",
    replace: "return this.sinkEnd ? 0 : floorPanel(this.from);",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 2: the scale is applied at one place, whatever the tile",
    file: "assembly/scores.ts",
    find: "let q = v128.load32_splat(qPtr);",
    replace: "let q = v128.load32_splat(qPtr); if (rows == 1) q = f32x4.mul(q, f32x4.splat(1.0000001));",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 3: the maximum is per row",
    file: "assembly/attention.ts",
    find: "const blockMax = rowMax(rowScores, bytes);",
    replace: "const blockMax = rowMax(scoresPtr, bytes);",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 4: lane = index mod 8, a fixed tree",
    file: "assembly/softmax.ts",
    find: "sum4567 = f32x4.add(sum4567, p4567);",
    replace: "sum0123 = f32x4.add(sum0123, p4567);",
    tests: ["exp"],
  },
  {
    rule: "determinism 4: rescaling is decided per row",
    file: "assembly/attention.ts",
    find: "row.max == -Infinity ? 0 : row.max",
    replace: "row.max == -Infinity ? 0 : row.max + <f32>(row.q & 4096 ? 0.5 : 0)",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 5: keys in order, one accumulator per output element",
    file: "assembly/values.ts",
    find: "else valueTile1x8(weightsPtr, vPanelPtr, vPanelBytes, accPtr, panels, keys);",
    replace:
      "else { const half = keys >> 1; valueTile1x8(weightsPtr + (half << 2), vPanelPtr + half * PANEL_BYTES, vPanelBytes, accPtr, panels, keys - half); if (half) valueTile1x8(weightsPtr, vPanelPtr, vPanelBytes, accPtr, panels, half); }",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 10: asking for weights changes no bit of out",
    file: "assembly/attention.ts",
    find: "row.sum += exponentials(rowScores, bytes, shiftOf(row));",
    replace: "row.sum += exponentials(rowScores, bytes, shiftOf(row)) * <f32>(p.weights ? 1.000001 : 1);",
    tests: DETERMINISM,
  },
  {
    rule: "determinism 13: of the host's Math only sqrt",
    file: "src/ops/attentionCall.ts",
    find: "1 / Math.sqrt(shape.headDim)",
    replace: "Math.pow(shape.headDim, -0.5)",
  },

  // The inner loops
  {
    rule: "no vector literal in a loop",
    file: "assembly/softmax.ts",
    find: "const caps = f32x4.splat(softcap);",
    replace: "const caps = f32x4.mul(f32x4.splat(softcap), f32x4.splat(1.5));",
    tests: ["codegen"],
  },
  {
    rule: "a strip works on the keys of its own rows",
    file: "assembly/strip.ts",
    find: "<i32>((t - numRows) / groupSize), <i32>((t - 1) / groupSize)",
    replace: "0, <i32>p.seqLen - 1",
    tests: ["work"],
  },
  {
    rule: "packing leaves out what lies between sink tokens and window",
    file: "assembly/attention.ts",
    find: "max(gapFrom, floorBlock(seen.from))",
    replace: "gapFrom",
    tests: ["work"],
  },
  {
    rule: "packing ends at the last key that is seen",
    file: "assembly/attention.ts",
    find: "isEveryScoreWanted ? p.kvLen : seen.to",
    replace: "p.kvLen",
    tests: ["work"],
  },
  {
    rule: "out may be the very tensor q",
    file: "src/ops/attentionCall.ts",
    find: "result === results.out ? inputs.q : undefined",
    replace: "undefined",
  },
  {
    rule: "a call that fails leaves out as it was: operands are checked after the options are read",
    file: "src/ops/scaledDotProductAttention.ts",
    find: "assertUnchanged(runtime, OPERATION, given);",
    replace: "",
  },
  {
    rule: "queryOffset may differ by sequence",
    file: "src/ops/attentionCall.ts",
    find: "queryOffsets?.[batch] ??",
    replace: "queryOffsets?.[0] ??",
  },

  // The wrapper
  {
    rule: "a module is linked unshared",
    file: "src/runtime/unshareMemory.ts",
    find: "bytes[at + 1] = UNSHARED_WITH_MAXIMUM;",
    replace: "bytes[at + 1] = SHARED_WITH_MAXIMUM;",
  },
  { rule: "the ABI is checked", file: "src/runtime/kernels.ts", find: "ABI_VERSION = 1", replace: "ABI_VERSION = 2" },
  {
    rule: "struct fields keep their order",
    file: "src/runtime/params.ts",
    find: '  headDim: "usize",\n  valueDim: "usize",',
    replace: '  valueDim: "usize",\n  headDim: "usize",',
  },
  {
    rule: "the self-test decides",
    file: "src/openEngine.ts",
    find: "if (failure) throw",
    replace: "if (failure && false) throw",
  },
  {
    rule: "scratch is given back after a call",
    file: "src/ops/scaledDotProductAttention.ts",
    find: "arena.closeScratch();",
    replace: "",
  },
  {
    rule: "freed memory is used again",
    file: "src/runtime/arena.ts",
    find: "(block) => block.ptr !== ptr",
    replace: "(block) => block.ptr >= 0",
  },
  {
    rule: "memory ends at maximumMemory",
    file: "src/runtime/arena.ts",
    find: "if (end > this.#limit) {",
    replace: "if (end > this.#limit * 1000) {",
  },
  {
    rule: "views follow the memory as it grows",
    file: "src/runtime/memory.ts",
    find: "if (this.#memory.buffer !== this.#buffer) this.#refresh();",
    replace: "",
  },
  {
    rule: "a raw view survives the growth of the call",
    file: "src/operand.ts",
    find: "if (viewOffset !== undefined) memory.u8.copyWithin",
    replace: "if (viewOffset === -1) memory.u8.copyWithin",
  },
  {
    rule: "results may not overlap operands",
    file: "src/operand.ts",
    find: "!overlap(place, other)) continue;",
    replace: "true) continue;",
  },
  { rule: "tensors begin as zeros", file: "src/tensor.ts", find: "runtime.memory.u8.fill(0, ptr, ptr + bytes);", replace: "" },
  {
    rule: "reshaped tensors share their memory's life",
    file: "src/tensor.ts",
    find: "block.users++;",
    replace: "block.users = 1;",
  },
  {
    rule: "unknown options are refused",
    file: "src/check.ts",
    find: "if (!known.includes(name)) throw",
    replace: "if (known.length === 0) throw",
  },
];
