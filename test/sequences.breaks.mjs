// Sequences of different lengths in one call, and merging. See scripts/breaks.mjs.

const SEQUENCES = ["sequences", "parity"];

export default [
  {
    rule: "packed sequences: a mask applies to the sequence's own keys",
    find: " - <usize>sequence.maskStart * p.maskKeyStride",
    replace: "",
    tests: SEQUENCES,
  },
  {
    rule: "packed sequences: rows see the sequence's own keys",
    find: "const row = sequence.keyStart + block;",
    replace: "const row = block;",
    tests: SEQUENCES,
  },
  {
    rule: "packed sequences: weights are stored at the sequence's own keys",
    find: "memory.copy(row.weights + firstWeight + (firstKey << 2)",
    replace: "memory.copy(row.weights + (firstKey << 2)",
    tests: SEQUENCES,
  },
  {
    rule: "packed sequences: each head of each sequence has its own strips",
    find: "this.end = this.first + strips;",
    replace: "this.end = this.firstOfSequence + strips * p.numKvHeads;",
    tests: SEQUENCES,
  },
  {
    rule: "packed sequences: positions count from the sequence's own first key",
    find: "...{ keyStart, keyRows, keyLength: keyRows, extraStart",
    replace: "...{ keyStart, keyRows, keyLength: keyRows + keyStart, extraStart",
    tests: SEQUENCES,
  },
  {
    rule: "left padding: positions count from the first valid key",
    find: "const origin = isPacked ? 0 : sequence.keyStart;",
    replace: "const origin = 0;",
    tests: SEQUENCES,
  },
  {
    rule: "merging: the largest logSumExp becomes 0",
    find: "const shift: f32 = most == -Infinity ? 0 : most;",
    replace: "const shift: f32 = 0;",
    tests: ["mergeAttention"],
  },
  {
    rule: "merging: a part without keys is ignored",
    find: "if (logSumExp != -Infinity) {",
    replace: "if (true) {",
    tests: ["mergeAttention"],
  },
  {
    rule: "merging: the layout is that of the outputs",
    find: "rowStride: strides.row,",
    replace: "rowStride: heads * channels,",
    tests: ["mergeAttention"],
  },
];
