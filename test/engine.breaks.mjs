// Opening an engine, its memory and its errors. See scripts/breaks.mjs.

import { ATTENTION_TESTS } from "./support/attentionTests.mjs";

export default [
  {
    rule: "methods can be taken off an engine",
    find: "    bindMethods(this);\n",
    replace: "",
  },
  {
    rule: "Vue does not wrap what an engine makes",
    find: "    [Symbol.toStringTag]: { value: name, configurable: true },",
    replace: "",
  },
  {
    rule: "Valtio does not wrap what an engine makes",
    find: "    [Symbol.iterator]: { value: undefined, configurable: true },",
    replace: "",
  },
  {
    rule: "a host that refuses a large shared memory gets a smaller one",
    find: "if (mayBeSmaller && maximumBytes / 2",
    replace: "if (!mayBeSmaller && maximumBytes / 2",
    tests: ["poorHosts"],
  },
  {
    rule: "a host that refuses shared memory computes on one thread",
    find: "      threadsReason = problemOf(operation, error);",
    replace: "      throw error;",
    tests: ["poorHosts"],
  },
  {
    rule: "kernels are compiled asynchronously where the caller waits",
    find: "? WebAssembly.compile(request.bytes)",
    replace: "? Promise.resolve(new WebAssembly.Module(request.bytes))",
    tests: ["poorHosts"],
  },
  {
    rule: "kernels are linked asynchronously where the caller waits",
    find: ": WebAssembly.instantiate(request.module, request.imports)",
    replace: ": Promise.resolve(new WebAssembly.Instance(request.module, request.imports))",
    tests: ["poorHosts"],
  },
  {
    rule: "a module is linked unshared",
    find: ": UNSHARED_WITH_MAXIMUM;",
    replace: ": SHARED_WITH_MAXIMUM;",
  },
  {
    rule: "bytes for unshared memory are shared by threads",
    find: "isShared ? SHARED_WITH_MAXIMUM",
    replace: "isShared ? UNSHARED_WITH_MAXIMUM",
  },
  {
    rule: "a module of another ABI is refused",
    find: "if (found !== ABI_HASH) {",
    replace: "if (found === undefined) {",
    tests: ["abi"],
  },
  { rule: "kernels report the hash of the ABI", find: "return ABI_HASH;", replace: "return ABI_HASH + 1;" },
  {
    rule: "struct fields are the same on both sides",
    find: "  numKvHeads: usize;\n  headDim: usize;\n  valueDim: usize;\n\n  qRowStride",
    replace: "  numKvHeads: usize;\n  headDim: usize;\n  valueDim: usize;\n  more: usize;\n\n  qRowStride",
    tests: ["abi"],
  },
  {
    rule: "struct fields keep their order",
    find: "= values.sinkTokens;",
    replace: "= values.causal;",
    tests: ["abi"],
  },
  {
    rule: "the largest struct fits before the tensors",
    find: "wholeLines(LARGEST_STRUCT_BYTES)",
    replace: "wholeLines(LARGEST_STRUCT_BYTES - 64)",
    tests: ["abi"],
  },
  {
    rule: "the self-test decides whether a build is used",
    file: "openEngine.ts",
    find: "if (failure) throw",
    replace: "if (failure && false) throw",
  },
  {
    rule: "scratch is given back after a call",
    find: "runtime.closeScratch();",
    replace: "",
  },
  {
    rule: "freed memory is reused",
    find: "this.#gaps.add(start, end - start);",
    replace: "",
  },
  {
    rule: "memory ends at maximumMemory",
    find: "if (end > this.#limit) {",
    replace: "if (end > this.#limit * 1000) {",
  },
  {
    rule: "views follow the memory as it grows",
    find: "this.#memory.grow(pages);\n      this.#refresh();",
    replace: "this.#memory.grow(pages);",
  },
  {
    rule: "a raw view survives the growth of the call",
    find: "if (viewOffset !== undefined) memory.u8.copyWithin",
    replace: "if (viewOffset === -1) memory.u8.copyWithin",
  },
  {
    rule: "results must not overlap operands",
    find: "if (!overlap(place, input)) return;",
    replace: "if (place) return;",
  },
  {
    rule: "a policy that forbids compiling is named",
    find: "const isForbidden = ",
    replace: "const isForbidden = message === undefined && ",
  },
  {
    rule: "a policy that forbids compiling is recognized by Firefox's message",
    find: "/CSP|Content Security/i",
    replace: "/Content Security/i",
  },
  {
    rule: "a tensor that has been disposed of is not reported as being elsewhere",
    find: 'if (location === "none")',
    replace: 'if (location === "")',
  },
  {
    rule: "an error of dataSync names the tensor",
    find: "  try {\n    return dataSync();",
    replace: "  return dataSync();\n  try {",
  },
  {
    rule: "the sizes of a result are the caller's own",
    file: "operand.ts",
    find: "dims: [...out.dims] }",
    replace: "dims: out.dims as number[] }",
  },
  { rule: "tensors begin as zeros", find: "runtime.memory.u8.fill(0, span.ptr, span.ptr + bytes);", replace: "" },
  {
    rule: "reshaped tensors share the life of their memory",
    find: "sizes, this.#span.share());",
    replace: "sizes, this.#span);",
  },
  {
    rule: "unknown options are refused",
    find: "if (!known.options.includes(name)) throw",
    replace: "if (known.options.length === 0) throw",
  },
  {
    rule: "sizes whose product is not a safe integer are refused",
    find: "if (product <= Number.MAX_SAFE_INTEGER)",
    replace: "if (true)",
    tests: ["hostile"],
  },
  {
    rule: "the length of a list must be a number",
    file: "check.ts",
    find: "Number.isSafeInteger(length)",
    replace: 'typeof length === "number"',
    tests: ["hostile"],
  },
  {
    rule: "a revoked proxy is described without access to it",
    find: 'if (isRevoked(value)) return "a revoked proxy";',
    replace: "",
    tests: ["hostile"],
  },
  {
    rule: "typed arrays are recognized by their brand",
    find: "brandOf.call(value)",
    replace: "Object.prototype.toString.call(value).slice(8, -1)",
    tests: ["hostile"],
  },
  {
    rule: "results are copied without calling the caller's methods",
    find: "setOf.call(array, numbers)",
    replace: "array.set(numbers)",
    tests: ["hostile"],
  },
  {
    rule: "a detached array has no elements",
    find: "return length === 0 ?",
    replace: "return false ?",
    tests: ["hostile"],
  },
  {
    rule: "changes that a feature function makes to the arrays are detected",
    find: "assertUnchanged(call, [raw.q, raw.k, raw.v]);",
    replace: "call.runtime.arena;",
    tests: ["hostile"],
  },
  {
    rule: "raw views survive growth by a feature function",
    find: "data && viewOffset === undefined && typedArrayLength",
    replace: "data && typedArrayLength",
    tests: ["hostile"],
  },
  {
    rule: "an image of a state must be as long as the state",
    find: "statesStart + bytesOf(config) === copy.length",
    replace: "statesStart <= copy.length",
    tests: ["linearState"],
  },
  {
    rule: "a worker that stops answering is given up",
    find: "isExpected ? setTimeout(stalled, patience) : undefined;",
    replace: "undefined;",
    tests: ["hostile"],
  },
  {
    rule: "a worker that cannot be ended does not hide the reason to end it",
    find: "    } catch {\n      return;",
    replace: "    } catch (error) {\n      throw error;",
    tests: ["hostile"],
  },
  {
    rule: "a freed span joins the gap before it",
    find: "this.#startOf.get(ptr) ?? ptr;",
    replace: "ptr;",
    tests: ["arena"],
  },
  {
    rule: "the first gap that is large enough is taken",
    find: "gap.before && gap.before.largest >= bytes",
    replace: "false",
    tests: ["arena"],
  },
  {
    rule: "gaps know the largest one below",
    find: "gap.before?.largest ?? 0, gap.behind?.largest ?? 0",
    replace: "gap.before?.largest ?? 0",
    tests: ["arena"],
  },
].map((each) => ({ tests: ATTENTION_TESTS, ...each }));
