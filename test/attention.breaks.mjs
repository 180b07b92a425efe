// Scores, masks and bounds, softmax, heads and layouts. See scripts/breaks.mjs.

import { ATTENTION_TESTS } from "./support/attentionTests.mjs";

export default [
  // Scores
  {
    rule: "scale defaults to 1/√headDim, with the headDim of q and not of v",
    find: "1 / Math.sqrt(shape.headDim)",
    replace: "1 / Math.sqrt(shape.valueDim)",
  },
  {
    rule: "q·k runs over every channel",
    file: "multiplyStrip.ts",
    find: "} while (bPtr < panelEnd);",
    replace: "} while (bPtr + 32 < panelEnd);",
  },
  {
    rule: "softcap · tanh(score / softcap)",
    find: "f32x4.mul(caps, tanh4(",
    replace: "f32x4.mul(f32x4.splat(1), tanh4(",
  },
  { rule: "softcap 0 is off", find: "p.softcap != 0, scoresPtr);", replace: "true, scoresPtr);" },
  {
    rule: "bias is added",
    find: "v128.bitselect(invisible, f32x4.add(score, bias), f32x4.eq(bias, invisible))",
    replace: "v128.bitselect(invisible, f32x4.sub(score, bias), f32x4.eq(bias, invisible))",
  },
  {
    rule: "a bias of −∞ is tested before it is added",
    find: "v128.bitselect(invisible, f32x4.add(score, bias), f32x4.eq(bias, invisible))",
    replace: "f32x4.add(score, bias)",
  },
  {
    rule: "bias broadcasts along keys",
    find: "const step = keyStride << 4;",
    replace: "const step = 16;",
  },
  {
    rule: "tanh has no cancellation",
    find: "power, f32x4.sub(power, constant(ONE)));",
    replace: "power, f32x4.sub(constant(ONE), power));",
  },

  // Which keys are visible
  {
    rule: "mask: other than 0 may attend",
    find: "if (!load<u8>(maskPtr)) hideKeys(",
    replace: "if (load<u8>(maskPtr)) hideKeys(",
  },
  {
    rule: "mask of the keys behind the last whole panel",
    find: "if (!load<u8>(maskPtr)) store<f32>(",
    replace: "if (load<u8>(maskPtr)) store<f32>(",
  },
  {
    rule: "bias of the keys behind the last whole vector",
    find: "firstLanes(rest)));",
    replace: "firstLanes(1)));",
  },
  {
    rule: "mask: the upper half of a panel is masked",
    find: "i32x4.extend_high_i16x8_u(flags)",
    replace: "i32x4.extend_low_i16x8_u(flags)",
  },
  {
    rule: "masks are aligned to the right",
    find: "dims[axis - 4 + dims.length] ?? 1",
    replace: "dims[axis] ?? 1",
  },
  {
    rule: "a shorter last axis hides the rest, if asked to",
    find: "Math.max(0, Math.min(sequence.keyLength, coveredKeys))",
    replace: "sequence.keyLength",
  },
  {
    rule: "causal true is lower-right",
    find: "queryOffset: keyLength - queryLength,",
    replace: "queryOffset: 0,",
  },
  {
    rule: "upper-left starts at 0",
    find: "else if (isUpperLeft) sequence.queryOffset = -origin;",
    replace: "",
  },
  {
    rule: "the position counts from keyLength − queryLength, not kvLen − seqLen",
    find: "queryOffset: keyLength - queryLength,",
    replace: "queryOffset: kvLen - keyStart - seqLen,",
  },
  {
    rule: "a causal row sees its own position",
    find: "min(sequence.keyLength, position + 1)",
    replace: "min(sequence.keyLength, position)",
  },
  {
    rule: "queryOffset takes precedence over the alignment",
    find: "if (offsets) sequence",
    replace: "if (offsets && !isUpperLeft) sequence",
  },
  {
    rule: "the window's left end is included",
    find: "position - p.windowLeft)",
    replace: "position - p.windowLeft + 1)",
  },
  {
    rule: "the window's right end is included",
    find: "position + p.windowRight + 1",
    replace: "position + p.windowRight",
  },
  {
    rule: "window −1 is unlimited",
    find: "p.windowLeft < 0 ? 0 :",
    replace: "p.windowLeft < -1 ? 0 :",
  },
  {
    rule: "sink tokens escape the window",
    find: "min(p.sinkTokens, limit)",
    replace: "min(0, limit)",
  },
  {
    rule: "sink tokens obey causal and lengths",
    find: "min(p.sinkTokens, limit)",
    replace: "p.sinkTokens",
  },
  { rule: "keyLengths end the keys", find: "keyLengths?.[batch] ?? keyEnd", replace: "kvLen" },
  { rule: "queryLengths end the rows", find: "min(last, sequence.queryLength - 1)", replace: "last" },

  // Invisible means absent
  {
    rule: "keys beyond a row's range are −∞",
    find: "hideKeys(origin, max(first, range.to), last);",
    replace: "",
  },
  {
    rule: "keys before a row's range are −∞",
    find: "hideKeys(origin, max(first, range.sinkEnd), min(last, range.from));",
    replace: "",
  },
  {
    rule: "blocks whose values are not finite are computed row by row",
    find: "return !v128.any_true(f32x4.ne(zeros, zeros));",
    replace: "return true;",
  },
  {
    rule: "row by row, invisible keys are left out",
    find: "if (load<f32>(scoresPtr + (s << 2)) == -Infinity) continue;",
    replace: "",
  },
  {
    rule: "a visible weight that underflows still counts",
    find: "if (load<f32>(scoresPtr + (s << 2)) == -Infinity) continue;",
    replace: "if (load<f32>(aPtr + (s << 2)) == 0) continue;",
  },
  {
    rule: "a row that sees no key is 0",
    find: "row.sum == 0 ? 0 : <f32>1 / row.sum",
    replace: "<f32>1 / row.sum",
  },
  {
    rule: "−∞ − (−∞) is never computed",
    find: "row.max == -Infinity ? 0 : row.max",
    replace: "row.max",
  },
  {
    rule: "exp passes NaN through",
    file: "exp2.ts",
    find: "f32x4.pmax(x, constant(LOWEST))",
    replace: "f32x4.pmax(constant(LOWEST), x)",
  },
  { rule: "exp flushes to exactly 0", file: "exponent.ts", find: "UNDERFLOW: f32 = -100;", replace: "UNDERFLOW: f32 = -99;" },
  {
    rule: "exp(0) is exactly 1",
    file: "exponent.ts",
    find: "memory.data<f32>([SCALE])",
    replace: "memory.data<f32>([SCALE * 1.0000001])",
  },
  {
    rule: "exp keeps its bound",
    find: "0.00961843691766",
    replace: "0.00962843691766",
    tests: ["exp"],
  },
  {
    rule: "tanh keeps its bound",
    find: "0.00835834164172411",
    replace: "0.00845834164172411",
    tests: ["exp"],
  },
  {
    rule: "a finite bias hides nothing, not even the lowest number",
    find: "f32x4.pmax(product, v128.load32_splat(LOWEST))",
    replace: "product",
    tests: ["extremes"],
  },
  {
    rule: "a finite sink stays finite",
    find: "<f32>max<f64>(-f32.MAX_VALUE, min<f64>(f32.MAX_VALUE, <f64>x * factor))",
    replace: "<f32>(<f64>x * factor)",
    tests: ["extremes"],
  },
  {
    rule: "scores that are results are not multiplied by log₂e",
    find: "strip.packQueries(p, 1);",
    replace: "",
  },

  // Softmax
  { rule: "earlier blocks are rescaled", find: "row.sum *= factor;", replace: "" },
  {
    rule: "earlier values are rescaled",
    find: "rescaleRow(strip.accumulator(r), strip.accBytes, strip.numPanels, factor);",
    replace: "",
  },
  {
    rule: "logSumExp is maximum + ln sum",
    find: "<f64>row.max / LOG2E + ",
    replace: "<f64>row.max / LOG2E - ",
  },
  { rule: "sinks count in the sum", find: "row.sum += exp2Neg1(sink - row.max);", replace: "" },
  {
    rule: "a sink may be the maximum",
    find: "raiseMax(strip, r, sink);",
    replace: "",
  },
  {
    rule: "a row without keys has the sink as its logSumExp",
    find: "seesKeys ? logSumExp(row) : row.sink",
    replace: "logSumExp(row)",
  },
  {
    rule: "sinks belong to heads",
    find: "load<f32>(p.sinks + (head << 2))",
    replace: "load<f32>(p.sinks)",
  },
  {
    rule: "weights are normalised",
    find: "f32x4.mul(exp2Neg4(f32x4.sub(s, shifts)), factors)",
    replace: "exp2Neg4(f32x4.sub(s, shifts))",
  },
  {
    rule: "invisible weights are 0 in a row that is NaN",
    find: "v128.andnot(w, f32x4.eq(s, invisible))",
    replace: "w",
  },
  {
    rule: "all weights are written",
    find: "memory.fill(weights, 0, p.kvLen << 2);",
    replace: "{}",
  },
  {
    rule: "scores at stage capped contain every pair",
    find: "const isEveryScoreWanted = p.scores && p.scoresStage != ScoresStage.BIASED;",
    replace: "const isEveryScoreWanted = false;",
  },
  {
    rule: "scores at stage scaled are not capped",
    find: "p.softcap != 0 && p.scoresStage == ScoresStage.CAPPED",
    replace: "p.softcap != 0",
  },

  // Heads, layouts, types
  {
    rule: "groups of query heads are contiguous",
    find: "kvHead * groupSize + (t % groupSize)",
    replace: "kvHead + p.numKvHeads * (t % groupSize)",
  },
  {
    rule: "layouts are strides",
    find: 'at("b"), row: at("s"), head: rank === 3',
    replace: 'at("s"), row: at("b"), head: rank === 3',
  },
  {
    rule: "valueDim may differ from headDim",
    file: "scaledDotProductAttention.ts",
    find: "    valueDim,\n    qRowStride",
    replace: "    valueDim: headDim,\n    qRowStride",
  },
  {
    rule: "odd columns are packed",
    find: "byte < tail; byte += 4",
    replace: "byte + 4 < tail; byte += 4",
  },
  {
    rule: "odd channels are packed",
    find: "for (; rest > 0; rest--) {",
    replace: "for (; rest > 1; rest--) {",
  },
  {
    rule: "rows are written up to valueDim",
    find: "(valueDim - column) << 2",
    replace: "PANEL_BYTES",
  },
  { rule: "float16 subnormals and exponents are converted", find: "5.192296858534828e33", replace: "5.2e33" },
  {
    rule: "float16 Infinity and NaN are converted",
    find: "return v128.or(v128.or(value, special), sign);",
    replace: "return v128.or(value, sign);",
  },
].map((each) => ({ tests: ATTENTION_TESTS, ...each }));
