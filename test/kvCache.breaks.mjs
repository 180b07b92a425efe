// The cache of keys and values. See scripts/breaks.mjs.

const CACHE = ["kvCache", "kvCacheOperations"];

export default [
  {
    rule: "a block that others use is copied before it is written",
    find: "if (replaced && replaced.users - departed === 1) continue;",
    replace: "if (replaced) continue;",
    tests: CACHE,
  },
  {
    rule: "a copy holds the keys that were there",
    find: "if (replaced) this.runtime.memory",
    replace: "if (false) this.runtime.memory",
    tests: CACHE,
  },
  {
    rule: "whoever shares a block counts as its user",
    find: "for (const block of blocks) block?.share();",
    replace: "",
    tests: CACHE,
  },
  {
    rule: "blocks go back when their last user has gone",
    find: "if (this.#users === 0 && !this.runtime.isDisposed)",
    replace: "if (this.#users < 0 && !this.runtime.isDisposed)",
    tests: CACHE,
  },
  {
    rule: "an append that finds no memory gives back what it got",
    find: "for (const { block } of made) block.release();\n      throw",
    replace: "throw",
    tests: CACHE,
  },
  {
    rule: "a rolling cache gives up blocks that the window has left, and no others",
    find: "(index + 1) * BLOCK <= from",
    replace: "index * BLOCK <= from",
    tests: CACHE,
  },
  {
    rule: "the sink tokens' blocks are never given up",
    find: "let index = Math.max(blocksOf(sinkTokens), sequence.evicted / BLOCK)",
    replace: "let index = Math.max(0, sequence.evicted / BLOCK)",
    tests: CACHE,
  },
  {
    rule: "no row sees keys that were given up",
    find: "queryLength > 0 && position - window! < evicted",
    replace: "queryLength > 0 && position < evicted",
    tests: CACHE,
  },
  {
    rule: "a rolling cache is not cut back to where its window is gone",
    find: "length - window! < sequence.evicted",
    replace: "length < sequence.evicted",
    tests: CACHE,
  },
  {
    rule: "appending at the middle of a panel keeps the keys before",
    find: "for (; j < end && j % PANEL != 0; j++, kPtr += rowBytes) {",
    replace: "j = floorPanel(j); for (; false; ) {",
    tests: CACHE,
  },
  {
    rule: "a block stays not finite when finite rows are added",
    find: "else if (first == 0) store<u8>(block + head, FINITE);",
    replace: "else store<u8>(block + head, FINITE);",
    tests: CACHE,
  },
  {
    rule: "a block that is written anew forgets what was not finite",
    find: "else if (first == 0) store<u8>(block + head, FINITE);",
    replace: "",
    tests: CACHE,
  },
  {
    rule: "heads of a block lie behind each other",
    find: "this.headsOffset + head * this.headBytes",
    replace: "this.headsOffset",
    tests: CACHE,
  },
  {
    rule: "capacity holds",
    find: "if (kept + count > capacity) {",
    replace: "if (kept > capacity) {",
    tests: CACHE,
  },
  {
    rule: "a cache image is checked whole",
    find: "|| layoutOf(config, lengths).size !== size",
    replace: "",
    tests: CACHE,
  },
  {
    rule: "few strips: every column goes through every key",
    file: "split.ts",
    find: "for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {",
    replace: "for (let block = range * BLOCK; block < strip.to; block = strip.nextBlock(block)) {",
    tests: CACHE,
    needsThreads: true,
  },
  {
    rule: "few strips: scores of a block have a place of their own",
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
    rule: "an append that finds no scratch puts shared blocks back",
    find: "staged.undo();",
    replace: "",
    tests: CACHE,
  },
  {
    rule: "a cache that changes while the arguments are read is found out",
    file: "kvCache.ts",
    find: "if (changes !== this.#changes)",
    replace: "if (changes > this.#changes)",
    tests: CACHE,
  },
  {
    rule: "keys that a cache doesn't have score −∞",
    find: "const end = workspace.panels.end;",
    replace: "const end = p.kvLen;",
    tests: CACHE,
  },
  {
    rule: "scores are handed out before the output, which may be the queries",
    find: "  finishStrip(p, strip); // may overwrite the queries",
    replace: "  finishStrip(p, strip); if (p.scores) writeScores(p, workspace, strip);",
    tests: ["tensors"],
  },
  {
    rule: "weights are of the scaled queries, also after scores",
    find: "if (p.weights) strip.packQueries(p, LOG2E);",
    replace: "",
    tests: ["tensors"],
  },
];
