// Opening an engine, its memory and its errors. See scripts/breaks.mjs.

import { ATTENTION_TESTS } from "./support/attentionTests.mjs";

export default [
  {
    rule: "a module is linked unshared",
    find: ": UNSHARED_WITH_MAXIMUM;",
    replace: ": SHARED_WITH_MAXIMUM;",
  },
  {
    rule: "bytes for unshared memory are shared by threads",
    find: '=== "shared" ? SHARED_WITH_MAXIMUM',
    replace: '=== "shared" ? UNSHARED_WITH_MAXIMUM',
  },
  { rule: "a module of another ABI is refused", find: "if (found !== ABI_HASH) {", replace: "if (found === undefined) {" },
  { rule: "kernels say the hash of the ABI", find: "return ABI_HASH;", replace: "return ABI_HASH + 1;" },
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
    rule: "the self-test decides",
    find: "if (failure) throw",
    replace: "if (failure && false) throw",
  },
  {
    rule: "scratch is given back after a call",
    find: "runtime.closeScratch();",
    replace: "",
  },
  {
    rule: "freed memory is used again",
    find: "(block) => block.ptr !== ptr",
    replace: "(block) => block.ptr >= 0",
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
    rule: "results may not overlap operands",
    find: "if (!overlap(place, input)) return;",
    replace: "if (place) return;",
  },
  {
    rule: "a policy that forbids compiling is named",
    find: "const isForbidden = ",
    replace: "const isForbidden = message === undefined && ",
  },
  {
    rule: "a policy that forbids compiling is known by what Firefox says",
    find: "/CSP|Content Security/i",
    replace: "/Content Security/i",
  },
  {
    rule: "a tensor that was disposed of is not said to lie elsewhere",
    find: 'if (location === "none")',
    replace: 'if (location === "")',
  },
  {
    rule: "what keeps dataSync from giving data names the tensor",
    find: "  try {\n    return tensor.dataSync();",
    replace: "  return tensor.dataSync();\n  try {",
  },
  {
    rule: "the sizes of a result are the caller's own",
    file: "operand.ts",
    find: "dims: [...out.dims] }",
    replace: "dims: out.dims as number[] }",
  },
  { rule: "tensors begin as zeros", find: "runtime.memory.u8.fill(0, ptr, ptr + bytes);", replace: "" },
  {
    rule: "reshaped tensors share their memory's life",
    file: "tensor.ts",
    find: "block.users++;",
    replace: "block.users = 1;",
  },
  {
    rule: "unknown options are refused",
    find: "if (!known.includes(name)) throw",
    replace: "if (known.length === 0) throw",
  },
].map((each) => ({ tests: ATTENTION_TESTS, ...each }));
