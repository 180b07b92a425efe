// One-line breaks, at least one for each rule of attention and each rule of determinism that is built. Each must turn the suite red.
// `find` stands exactly once in `file`. `tests` narrows the suite to the files that have to notice, `needsThreads` widens it to engines
// of several threads, `needsDist` says that the tests look at what tsc writes, `needsWorkers` that they run in the packaged workers,
// `needsWide` that only a host for build "wide" notices.
import attention from "./attention.mjs";
import bits from "./bits.mjs";
import build from "./build.mjs";
import determinism from "./determinism.mjs";
import engine from "./engine.mjs";
import threads from "./threads.mjs";
import cache from "./cache.mjs";
import int8 from "./int8.mjs";
import linear from "./linear.mjs";
import rows from "./rows.mjs";
import sequences from "./sequences.mjs";
import layer from "./layer.mjs";
import matmul from "./matmul.mjs";
import wide from "./wide.mjs";
import workerEngine from "./workerEngine.mjs";

/** Where breaks of attention and of what is around an engine are noticed, unless they say so themselves. */
const ATTENTION_TESTS = [
  ...[
    "parity",
    "properties",
    "extremes",
    "invisible",
    "golden",
    "determinism",
    "sequences",
    "errors",
    "tensors",
    "engine",
    "work",
    "exp",
  ],
  ...["threads", "kvCache", "kvCacheOperations", "package"],
];
const ofAttention = [...attention, ...determinism, ...engine, ...threads].map((each) => ({ tests: ATTENTION_TESTS, ...each }));

export const BREAKS = [
  ...ofAttention,
  ...cache,
  ...int8,
  ...linear,
  ...rows,
  ...sequences,
  ...matmul,
  ...layer,
  ...wide,
  ...bits,
  ...build,
  ...workerEngine,
];
