// Positions in scores: slopes, biases and keys by distance. See scripts/breaks.mjs.

const ALL = ["positions", "positionsProperties"];

export default [
  // What a distance is
  {
    rule: "positions: a row stands at its index and its offset",
    find: "this.position = <i32>i + sequence.queryOffset;",
    replace: "this.position = <i32>i;",
    tests: ALL,
  },

  // Slopes
  {
    rule: "positions: a slope is subtracted",
    find: "-scaleFinite(load<f32>(row.alibiSlope), factor)",
    replace: "scaleFinite(load<f32>(row.alibiSlope), factor)",
    tests: ALL,
  },
  {
    rule: "positions: a slope has the factor on scores",
    find: "-scaleFinite(load<f32>(row.alibiSlope), factor)",
    replace: "-load<f32>(row.alibiSlope)",
    tests: ALL,
  },
  {
    rule: "positions: a large slope stays finite",
    find: "-scaleFinite(load<f32>(row.alibiSlope), factor)",
    replace: "<f32>(-load<f32>(row.alibiSlope) * factor)",
    tests: ["positionsProperties"],
  },
  {
    rule: "positions: keys after a row are as far as those before it",
    find: "v128.store(scoresPtr, madd(slopes, f32x4.abs(f32x4.convert_i32x4_s(distances)), v128.load(scoresPtr)));",
    replace: "v128.store(scoresPtr, madd(slopes, f32x4.neg(f32x4.convert_i32x4_s(distances)), v128.load(scoresPtr)));",
    tests: ALL,
  },
  {
    rule: "positions: distances rise by four from vector to vector",
    find: "const FOUR = memory.data<i32>([4]);",
    replace: "const FOUR = memory.data<i32>([3]);",
    tests: ALL,
  },
  {
    rule: "positions: slopes of the keys behind the last whole vector",
    find: "v128.bitselect(sum, scores, firstLanes(keys & 3))",
    replace: "v128.bitselect(sum, scores, firstLanes(0))",
    tests: ALL,
  },
  {
    rule: "positions: slopes change no score beyond the row's keys",
    find: "v128.bitselect(sum, scores, firstLanes(keys & 3))",
    replace: "v128.bitselect(sum, scores, firstLanes(4))",
    tests: ["positionsProperties"],
  },
  {
    rule: "positions: slopes of each entry",
    find: "alibiBatchStride: slopes?.dims.length === 2 ? reading.shape.numHeads : 0,",
    replace: "alibiBatchStride: 0,",
    tests: ALL,
  },
  {
    rule: "positions: slopes of each head",
    find: "((sequence.batch * p.alibiBatchStride + head) << 2)",
    replace: "((sequence.batch * p.alibiBatchStride) << 2)",
    tests: ALL,
  },

  // Tables
  {
    rule: "positions: the index of distance 0 in a table",
    find: "const start = this.first + p.biasZero;",
    replace: "const start = this.first + (<i32>p.biasDistances >> 1);",
    tests: ALL,
  },
  {
    rule: "positions: distances before a table have its first number",
    find: "this.repeat(0, inner, table, factors);",
    replace: "this.repeat(0, inner, table + 4, factors);",
    tests: ALL,
  },
  {
    rule: "positions: distances beyond a table have its last number",
    find: "this.repeat(innerEnd, <i32>WINDOW, table + (last << 2), factors);",
    replace: "this.repeat(innerEnd, <i32>WINDOW, table + ((last - 1) << 2), factors);",
    tests: ALL,
  },
  {
    rule: "positions: a table ends with its last number, not before",
    find: "min(<i32>WINDOW, last + 1 - start)",
    replace: "min(<i32>WINDOW, last - 8 - start)",
    tests: ALL,
  },
  {
    rule: "positions: a table has the factor on scores",
    find: "scaleFinite4(v128.load(table + ((start + i) << 2)), factors)",
    replace: "v128.load(table + ((start + i) << 2))",
    tests: ALL,
  },
  {
    rule: "positions: a table for each head",
    find: "relativeBiasHeadStride: table && table.operand.dims[0] !== 1 ? table.distances : 0,",
    replace: "relativeBiasHeadStride: 0,",
    tests: ALL,
  },
  {
    rule: "positions: a window of one head is not another's",
    find: "const isHere = this.table == table && this.factor",
    replace: "const isHere = this.factor",
    tests: ALL,
  },
  {
    rule: "positions: a window for results is not one for softmax",
    find: "this.table == table && this.factor == factor &&",
    replace: "this.table == table &&",
    tests: ALL,
  },
  {
    rule: "positions: a window is filled again before its first distance",
    find: "this.first <= distance && distance + count <= this.end",
    replace: "distance + count <= this.end",
    tests: ALL,
  },
  {
    rule: "positions: a window is filled again beyond its last distance",
    find: "this.first <= distance && distance + count <= this.end",
    replace: "this.first <= distance && distance <= this.end",
    tests: ALL,
  },
  {
    rule: "positions: a table's −∞ hides a key that is NaN, and one that a bias hides stays hidden",
    find: "this.isFinite = !v128.any_true(f32x4.ne(zeros, zeros));",
    replace: "this.isFinite = true;",
    tests: ["positionsProperties", "invisible"],
  },
  {
    rule: "positions: a table's −∞ hides a key whose score is NaN",
    find: "v128.or(f32x4.eq(scores, invisible), f32x4.eq(values, invisible))",
    replace: "f32x4.eq(scores, invisible)",
    tests: ["positionsProperties", "invisible"],
  },
  {
    rule: "positions: a key that a bias hides stays hidden, whatever the table holds",
    find: "v128.or(f32x4.eq(scores, invisible), f32x4.eq(values, invisible))",
    replace: "f32x4.eq(values, invisible)",
    tests: ["positionsProperties"],
  },
  {
    rule: "positions: biases of the keys behind the last whole vector",
    find: "isFinite), scores, firstLanes(keys & 3)));",
    replace: "isFinite), scores, firstLanes(1)));",
    tests: ALL,
  },

  // Keys of distances
  {
    rule: "positions: the index of distance 0 among keys",
    find: "let index = <i32>key - row.position + p.keyZero;",
    replace: "let index = <i32>key - row.position + p.keyZero + 1;",
    tests: ALL,
  },
  {
    rule: "positions: distances before the first key have it",
    find: "addRepeated(scoresPtr, productsPtr, before);",
    replace: "addRepeated(scoresPtr, productsPtr + 4, before);",
    tests: ALL,
  },
  {
    rule: "positions: distances beyond the last key have it",
    find: "addRepeated(scoresPtr, productsPtr + (last << 2), after);",
    replace: "addRepeated(scoresPtr, productsPtr + ((last - 1) << 2), after);",
    tests: ALL,
  },
  {
    rule: "positions: a run reaches to the distance of the first row",
    find: "indexOf(p, <i32>end - 1 - rows.position) + 1",
    replace: "indexOf(p, <i32>end - 1 - rows.position) - 8",
    tests: ALL,
  },
  {
    rule: "positions: a run begins with the distance of the last row",
    find: "<i32>key - strip.row(firstRow + numRows - 1).position",
    replace: "<i32>key - strip.row(firstRow).position",
    tests: ALL,
  },
  {
    rule: "positions: each row adds its own products",
    find: "this.products + r * ROW_BYTES - (from << 2)",
    replace: "this.products - (from << 2)",
    tests: ALL,
  },
  {
    rule: "positions: keys are taken 256 at a time, all of them",
    find: "const rowScores = scoresPtr + ((key - firstKey) << 2);",
    replace: "const rowScores = scoresPtr;",
    tests: ALL,
  },
  {
    rule: "positions: runs are packed for each head",
    find: "this.states + head * runsOf(p) + run",
    replace: "this.states + run",
    tests: ALL,
  },
  {
    rule: "positions: heads in progress have their own runs",
    find: "if (this.firstHead == firstHead) return;",
    replace: "if (<isize>this.firstHead >= 0) return;",
    tests: ALL,
  },
  {
    rule: "positions: another head's runs are packed anew",
    find: "memory.fill(this.states, 0, <usize>statesBytes(p));",
    replace: "",
    tests: ALL,
  },
  {
    rule: "positions: keys for each head",
    find: "relativeKeysHeadStride: heads === 1 ? 0 : headDim,",
    replace: "relativeKeysHeadStride: 0,",
    tests: ALL,
  },
  {
    rule: "positions: with an R for each query head, grouped rows are multiplied by their own",
    find: "if (p.relativeKeysHeadStride && p.numHeads != p.numKvHeads) {",
    replace: "if (false) {",
    tests: ALL,
  },
  {
    rule: "positions: extra keys get no product with keys of distances",
    find: "endKey = min(endKey, strip.sequence.extraStart);",
    replace: "",
    tests: ["positionsProperties"],
  },
  {
    rule: "positions: contentBias is for keys",
    find: "addToColumn(this.queryPanel + (r << 2), p.contentBias + bias",
    replace: "addToColumn(this.positionPanel + (r << 2), p.contentBias + bias",
    tests: ALL,
  },
  {
    rule: "positions: positionBias is for keys of distances",
    find: "addToColumn(this.positionPanel + (r << 2), p.positionBias + bias",
    replace: "addToColumn(this.queryPanel + (r << 2), p.positionBias + bias",
    tests: ALL,
  },
  {
    rule: "positions: both biases have the scale of their head",
    find: "const factor = scaleFinite(row.scale, this.scoreFactor);",
    replace: "const factor = <f32>this.scoreFactor;",
    tests: ALL,
  },
  {
    rule: "positions: both biases are those of the query head",
    find: "const bias = (row.head * p.headDim) << 2;",
    replace: "const bias: usize = 0;",
    tests: ALL,
  },
  {
    rule: "positions: threads that share a strip multiply keys of distances",
    file: "split.ts",
    find: "if (HAS_EVERY_OPTION && p.relativeKeys) workspace.relative.seek(p, order.kvHead);",
    replace: "",
    tests: ["positionsProperties"],
    needsThreads: true,
  },
  {
    rule: "positions: an even number of distances has no middle",
    find: "if (distances % 2 === 1) return (distances - 1) / 2;",
    replace: "return (distances - 1) >> 1;",
    tests: ["positionsErrors"],
  },
  {
    rule: "positions: engines of headwise/attention refuse keys of distances",
    find: 'if (!extensions) throw wrongValue(call.operation, `"${asked}" needs an engine of "headwise"`);',
    replace: "if (!extensions) return [];",
    tests: ["attentionEntry.node"],
    needsDist: true,
  },
];
