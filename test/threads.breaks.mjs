// Strips, threads and the calls that they share. See scripts/breaks.mjs.

import { ATTENTION_TESTS } from "./support/attentionTests.mjs";

const DETERMINISM = ["determinism"];

export default [
  {
    rule: "panels are those of the current head",
    find: "if (this.head != head) {",
    replace: "if (this.head == NO_HEAD) {",
    tests: DETERMINISM,
  },
  {
    rule: "a block whose last keys were not needed before is packed again",
    find: "if (this.end % BLOCK != 0) store<u8>",
    replace: "if (this.end == 0) store<u8>",
    needsThreads: true,
  },
  {
    rule: "a range of strips ends where the next begins",
    find: "order.row(p, next)",
    replace: "order.numRows - (order.end - next) * p.stripRows",
    needsThreads: true,
  },
  {
    rule: "Node's own Worker is not a web worker, even if a library makes it global",
    find: ' || "on" in Worker.prototype',
    replace: "",
    tests: ["threads"],
  },
  {
    rule: "threads split rows and heads, never a sum over keys: all units are claimed",
    find: "first < units;",
    replace: "first < units - 1;",
    tests: ["threads"],
  },
  {
    rule: "ranges shrink as units run out",
    find: "Math.floor((units - first) / divisor)",
    replace: "Math.floor(strips / divisor)",
    tests: ["threads"],
  },
  {
    rule: "a call takes no more threads than there is memory for",
    find: "Math.min(threads, units, fitting)",
    replace: "Math.min(threads, units)",
    tests: ["threads"],
  },
  {
    rule: "each thread has its own workspace",
    find: "+ thread * (control",
    replace: "+ 0 * (control",
    tests: ["threads"],
  },
  {
    rule: "the calling thread waits for the workers",
    find: "const hasAllLeft = this.#awaitWorkers();",
    replace: "const hasAllLeft = true as boolean;",
    tests: ["threads"],
  },
  {
    rule: "a worker that could not finish makes the call fail",
    find: "if (Atomics.load(control, Word.FAILED)) this",
    replace: "if (Atomics.load(control, Word.FAILED) > 1) this",
    tests: ["threads"],
  },
  {
    rule: "no call begins while workers of a failed one may write",
    find: "if (this.pool?.isEnding)\n",
    replace: "if (this.pool?.slots === 0)\n",
    tests: ["threads"],
  },
  {
    rule: "after a failure the engine has one thread",
    find: "return this.#failure === undefined ? 1 + this.#hosts.length : 1;",
    replace: "return 2;",
    tests: ["threads"],
  },
  {
    rule: "a worker that has died is no longer counted",
    find: "this.#hosts = this.#hosts.filter((other) => other !== host);",
    replace: "",
    tests: ["threads"],
  },
  {
    rule: "calls below the break-even run on one thread",
    find: "work < this.breakEven ? 1",
    replace: "work < 0 ? 1",
    tests: ["threads"],
  },
  {
    rule: "a worker that does not answer is given up",
    find: "resolve(`no answer within ${timeout} ms`)",
    replace: "undefined",
    tests: ["threads"],
  },
  {
    rule: "dispose ends the workers",
    find: "this.pool?.end();",
    replace: "",
    tests: ["threads"],
  },
  {
    rule: "an engine that is dropped ends its workers",
    find: "if (pool) own(runtime,",
    replace: "if (pool && runtime.isDisposed) own(runtime,",
    tests: ["threads"],
    needsDist: true,
  },
  {
    rule: "idle workers do not keep the process alive",
    find: "(worker as NodeWorker).unref();",
    replace: "(worker as NodeWorker);",
    tests: ["threads"],
    needsDist: true,
  },
  {
    rule: "Node's workers have no lock, whose name would be a random value",
    find: '"on" in worker ? "" : newLockName()',
    replace: "newLockName()",
    tests: ["poorHosts"],
  },
  {
    rule: "process is read from the global object, because bundlers replace the free name",
    find: "const { process } = globalThis as { process?: Partial<NodeJS.Process> };",
    replace: "",
    tests: ["poorHosts"],
    needsDist: true,
  },
  {
    rule: "plan predicts the memory of the call",
    find: "scratchBytes(attention.given) + outBytes",
    replace: "scratchBytes(attention.given)",
  },
].map((each) => ({ tests: ATTENTION_TESTS, ...each }));
