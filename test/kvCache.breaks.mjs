// The cache of keys and values. See scripts/breaks.mjs.

const CACHE = ["kvCache", "kvCacheOperations"];

export default [
  {
    rule: "a shared block is copied before it is written",
    find: "if (replaced && replaced.users - departed === 1) continue;",
    replace: "if (replaced) continue;",
    tests: CACHE,
  },
  {
    rule: "a copy of a block contains its keys",
    find: "if (replaced) this.runtime.memory",
    replace: "if (false) this.runtime.memory",
    tests: CACHE,
  },
  {
    rule: "everything that shares a block counts as its user",
    find: "for (const block of blocks) block?.share();",
    replace: "",
    tests: CACHE,
  },
  {
    rule: "blocks are freed when their last user is gone",
    find: "if (this.#users === 0 && !this.runtime.isDisposed)",
    replace: "if (this.#users < 0 && !this.runtime.isDisposed)",
    tests: CACHE,
  },
  {
    rule: "an append that runs out of memory frees what it has allocated",
    find: "for (const { block } of made) block.release();\n      throw",
    replace: "throw",
    tests: CACHE,
  },
  {
    rule: "a rolling cache evicts blocks that the window has passed, and no others",
    find: "(index + 1) * BLOCK <= from",
    replace: "index * BLOCK <= from",
    tests: CACHE,
  },
  {
    rule: "the sink tokens' blocks are never evicted",
    find: "let index = Math.max(blocksOf(sinkTokens), sequence.evicted / BLOCK)",
    replace: "let index = Math.max(0, sequence.evicted / BLOCK)",
    tests: CACHE,
  },
  {
    rule: "no row sees evicted keys",
    find: "queryLength > 0 && position - window! < evicted",
    replace: "queryLength > 0 && position < evicted",
    tests: CACHE,
  },
  {
    rule: "a rolling cache is not truncated to rows whose window has been evicted",
    find: "length - window! < sequence.evicted",
    replace: "length < sequence.evicted",
    tests: CACHE,
  },
  {
    rule: "appending in the middle of a panel keeps the keys before",
    find: "for (; j < end && j % PANEL != 0; j++, kPtr += rowBytes) {",
    replace: "j = floorPanel(j); for (; false; ) {",
    tests: CACHE,
  },
  {
    rule: "a block stays marked as not finite when finite rows are added",
    find: "else if (first == 0) store<u8>(block + head, FINITE);",
    replace: "else store<u8>(block + head, FINITE);",
    tests: CACHE,
  },
  {
    rule: "a block that is rewritten is no longer marked as not finite",
    find: "else if (first == 0) store<u8>(block + head, FINITE);",
    replace: "",
    tests: CACHE,
  },
  {
    rule: "the heads of a block are stored one after another",
    find: "this.headsOffset + head * this.headBytes",
    replace: "this.headsOffset",
    tests: CACHE,
  },
  {
    rule: "capacity is enforced",
    find: "if (kept + count > capacity) {",
    replace: "if (kept > capacity) {",
    tests: CACHE,
  },
  {
    rule: "a cache image is checked completely",
    find: "|| layoutOf(config, lengths).size !== size",
    replace: "",
    tests: CACHE,
  },
  {
    rule: "few strips: every column includes every key",
    file: "split.ts",
    find: "for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {",
    replace: "for (let block = range * BLOCK; block < strip.to; block = strip.nextBlock(block)) {",
    tests: CACHE,
    needsThreads: true,
  },
  {
    rule: "few strips: each block has its own scores",
    find: "(index * blocksOf(p.maxKvLen) + block / BLOCK)",
    replace: "index",
    tests: CACHE,
    needsThreads: true,
  },
  {
    rule: "the last user of a block writes to it in place",
    find: "replaced.users - departed === 1",
    replace: "replaced.users === 1",
    tests: CACHE,
  },
  {
    rule: "an append without memory for scratch restores shared blocks",
    find: "staged.undo();",
    replace: "",
    tests: CACHE,
  },
  {
    rule: "a cache that changes while the arguments are read is detected",
    file: "kvCache.ts",
    find: "if (changes !== this.#changes)",
    replace: "if (changes > this.#changes)",
    tests: CACHE,
  },
  {
    rule: "keys that a cache does not have score −∞",
    find: "const end = workspace.panels.end;",
    replace: "const end = p.kvLen;",
    tests: CACHE,
  },
  {
    rule: "scores are written before the output, which may overwrite the queries",
    find: "  finishStrip(p, strip); // may overwrite the queries",
    replace: "  finishStrip(p, strip); if (p.scores) writeScores(p, workspace, strip);",
    tests: ["tensors"],
  },
  {
    rule: "weights come from the scaled queries, even after scores",
    find: "if (p.weights) strip.packQueries(p, LOG2E);",
    replace: "",
    tests: ["tensors"],
  },
];
