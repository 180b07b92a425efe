// Looks at the weights: the largest, entropy, what keys receive, and a part of them. See scripts/breaks.mjs.

const tests = ["looks", "looksErrors"];

export default [
  // The largest weights
  {
    rule: "looks: of equal weights the lower key comes first",
    find: "if (before >= bits) break;",
    replace: "if (before > bits) break;",
    tests,
  },
  {
    rule: "looks: of equal weights the lower key stays",
    find: "if (bits <= bound) continue; // the bound has risen",
    replace: "if (bits < bound) continue;",
    tests,
  },
  {
    rule: "looks: spans of keys that cannot exceed the list are skipped, no others",
    find: "if (load<i32>(largestPtr) <= bound) continue;",
    replace: "if (load<i32>(largestPtr) <= bound + 1) continue;",
    tests,
  },
  {
    rule: "looks: a floor is what as many spans reach",
    find: "if (atLeast >= count) found = max(found, bits);",
    replace: "if (atLeast + 1 >= count) found = max(found, bits);",
    tests,
  },
  {
    rule: "looks: there is a floor only for as many spans as keys",
    find: "if (count > numSpans) return INVISIBLE;",
    replace: "if (count > numSpans + 1) return 0x7f000000;",
    tests,
  },
  {
    rule: "looks: what reaches the floor counts",
    find: "return found == INVISIBLE ? INVISIBLE : found - 1;",
    replace: "return found;",
    tests,
  },
  {
    rule: "looks: invisible keys are none, even of weight 0",
    find: "const seen0 = v128.bitselect(invisible, w0, f32x4.eq(s0, infinity));",
    replace: "const seen0 = w0;",
    tests,
  },
  {
    rule: "looks: a weight without a key is +0",
    find: "store<i32>(weights + ((at - 1) << 2), 0);",
    replace: "store<f32>(weights + ((at - 1) << 2), -0.0);",
    tests,
  },
  {
    rule: "looks: largest weights of a row that is NaN are NaN",
    find: "row.sum == row.sum ? -0.0 : NaN",
    replace: "-0.0",
    tests,
  },
  {
    rule: "looks: indices count from the first key of k, in packed sequences too",
    find: "workspace.largest, strip.sequence.keyStart + firstKey);",
    replace: "workspace.largest, firstKey);",
    tests,
  },
  {
    rule: "looks: only the scores of the last block are saved",
    find: "if (strip.nextBlock(block) < strip.to) return;",
    replace: "if (strip.nextBlock(block) >= strip.to && block > 0) return;",
    tests,
  },

  // Entropy and the largest weight
  {
    rule: "looks: entropy moves with the maximum",
    find: "row.spread = (row.spread + row.sum * min(max - row.max, MOST_SPREAD)) * factor;",
    replace: "row.spread *= factor;",
    tests,
  },
  {
    rule: "looks: a maximum that rises beyond the range of float32 leaves entropy finite",
    find: "row.sum * min(max - row.max, MOST_SPREAD)",
    replace: "row.sum * (max - row.max)",
    tests,
  },
  {
    rule: "looks: scores farther below than float32 reaches add nothing to entropy",
    find: "const x0123 = f32x4.pmax(f32x4.sub(v128.load(scoresPtr), shifts), lowest);",
    replace: "const x0123 = f32x4.sub(v128.load(scoresPtr), shifts);",
    tests,
  },
  {
    rule: "looks: entropy is in nats",
    find: "<f64>(row.spread * factor) / LOG2E;",
    replace: "<f64>(row.spread * factor);",
    tests,
  },
  {
    rule: "looks: the sink has no part in entropy",
    find: "<f64>((row.sum - sink) * factor)",
    replace: "<f64>(row.sum * factor)",
    tests,
  },
  {
    rule: "looks: the largest weight is that of a key, which the sink may exceed",
    find: "exp2Neg1(largest - row.max) * factor",
    replace: "factor",
    tests,
  },
  {
    rule: "looks: entropy of a row without keys is 0",
    find: "seesKeys ? <f32>entropy : 0",
    replace: "<f32>entropy",
    tests,
  },
  {
    rule: "looks: ranges of columns give the summary once",
    find: "p.entropy | p.largestWeight && firstColumn == 0",
    replace: "p.entropy | p.largestWeight && firstColumn != 0",
    tests,
  },

  // What keys receive
  {
    rule: "looks: keys receive 0 before any row gives",
    find: "memory.fill(p.keyWeights + (entry * p.numHeads + kvHead * groupSize) * bytes, 0, groupSize * bytes);",
    replace: "memory.fill(p.keyWeights + (entry * p.numHeads + kvHead * groupSize) * bytes, 0, bytes);",
    tests,
  },
  {
    rule: "looks: each query head has sums of its own",
    find: "addRows(sums, weightsPtr + r * ROW_BYTES, end, groupSize * ROW_BYTES, endKey - firstKey);",
    replace: "addRows(sums, weightsPtr + r * ROW_BYTES, end, ROW_BYTES, endKey - firstKey);",
    tests,
  },
  {
    rule: "looks: the keys after the last whole panel receive weights",
    find: "for (; at < count << 2; at += 4) {",
    replace: "for (; at + 4 < count << 2; at += 4) {",
    tests,
  },
  {
    rule: "looks: threads share heads where keys receive weights",
    find: "if (HAS_EVERY_OPTION && p.keyWeights) return (sequenceOf(",
    replace: "if (HAS_EVERY_OPTION && p.keyWeights == 1) return (sequenceOf(",
    tests,
  },
  {
    rule: "looks: packed sequences share the heads of one entry",
    find: "i < p.numSequences && sequenceOf(p, i).batch == entry; i++",
    replace: "i < min(p.numSequences, entry + 1) && sequenceOf(p, i).batch == entry; i++",
    tests,
  },
  {
    rule: "looks: without rows keys receive 0",
    find: "if (isEmpty(attention)) clearSums(attention);",
    replace: "if (isEmpty(attention)) void attention;",
    tests,
  },

  // Part of the weights, places and plans
  {
    rule: "looks: weights of the heads in range",
    find: "const h = head - p.weightsFirstHead;",
    replace: "const h = head;",
    tests,
  },
  {
    rule: "looks: weights of the rows in range",
    find: "if (h >= p.weightsHeads || row >= p.weightsRows) return 0;",
    replace: "if (h >= p.weightsHeads || row > p.weightsRows) return 0;",
    tests,
  },
  {
    rule: "looks: a range needs weights",
    find: 'if (isAbsent(options.weights)) throw wrongValue(operation, \'"weightsRange" needs',
    replace: 'if (isAbsent(options)) throw wrongValue(operation, \'"weightsRange" needs',
    tests,
  },
  {
    rule: "looks: float16 counts to 2048",
    find: "if (kvLen - 1 <= most) return",
    replace: "if (kvLen <= most * 2) return",
    tests,
  },
  {
    rule: "looks: a plan knows which operands a call has",
    find: "for (const operand of attention.given) if (operand.isOutside) operand.ptr = besidePtr;",
    replace: "for (const operand of attention.given) if (operand.isUpdated) operand.ptr = besidePtr;",
    tests,
  },
  {
    rule: "looks: a plan counts heads where threads share those",
    find: "if (attention.extras.some(({ isByHead }) => isByHead)) units",
    replace: "if (attention.extras.some(({ isByHead }) => !isByHead)) units",
    tests: ["looksErrors"],
    needsThreads: true,
  },
  {
    rule: "looks: engines in a worker find places within an option",
    find: "return holdsPlaces ? this.#object(`${path}.`, property, namesOf(property), called) : this.#value(path, property);",
    replace: "return this.#value(path, property, holdsPlaces && false);",
    tests,
  },
  {
    rule: "looks: engines for attention alone refuse them",
    find: '...["topKeys", "entropy", "largestWeight", "keyWeights", "weightsRange"],',
    replace: '...["topKeys", "entropy", "largestWeight", "keyWeights"],',
    tests,
  },
];
