// Opening an engine, its memory and its errors. See index.mjs.

export default [
  {
    rule: "a module is linked unshared",
    file: "src/runtime/memorySharing.ts",
    find: ": UNSHARED_WITH_MAXIMUM;",
    replace: ": SHARED_WITH_MAXIMUM;",
  },
  {
    rule: "bytes for unshared memory are shared by threads",
    file: "src/runtime/memorySharing.ts",
    find: '=== "shared" ? SHARED_WITH_MAXIMUM',
    replace: '=== "shared" ? UNSHARED_WITH_MAXIMUM',
  },
  { rule: "the ABI is checked", file: "src/runtime/kernels.ts", find: "ABI_VERSION =", replace: "ABI_VERSION = 1 +" },
  {
    rule: "struct fields keep their order",
    file: "src/runtime/params.ts",
    find: '  headDim: "usize",\n  valueDim: "usize",\n  qRowStride',
    replace: '  valueDim: "usize",\n  headDim: "usize",\n  qRowStride',
  },
  {
    rule: "the self-test decides",
    file: "src/openEngine.ts",
    find: "if (failure) throw",
    replace: "if (failure && false) throw",
  },
  {
    rule: "scratch is given back after a call",
    file: "src/operand.ts",
    find: "runtime.closeScratch();",
    replace: "",
  },
  {
    rule: "freed memory is used again",
    file: "src/runtime/arena.ts",
    find: "(block) => block.ptr !== ptr",
    replace: "(block) => block.ptr >= 0",
  },
  {
    rule: "memory ends at maximumMemory",
    file: "src/runtime/arena.ts",
    find: "if (end > this.#limit) {",
    replace: "if (end > this.#limit * 1000) {",
  },
  {
    rule: "views follow the memory as it grows",
    file: "src/runtime/memory.ts",
    find: "this.#memory.grow(pages);\n      this.#refresh();",
    replace: "this.#memory.grow(pages);",
  },
  {
    rule: "a raw view survives the growth of the call",
    file: "src/operand.ts",
    find: "if (viewOffset !== undefined) memory.u8.copyWithin",
    replace: "if (viewOffset === -1) memory.u8.copyWithin",
  },
  {
    rule: "results may not overlap operands",
    file: "src/operand.ts",
    find: "if (!overlap(place, input)) return;",
    replace: "if (place) return;",
  },
  {
    rule: "a policy that forbids compiling is named",
    file: "src/runtime/instantiate.ts",
    find: "const isForbidden = ",
    replace: "const isForbidden = message === undefined && ",
  },
  {
    rule: "a policy that forbids compiling is known by what Firefox says",
    file: "src/runtime/instantiate.ts",
    find: "/CSP|Content Security/i",
    replace: "/Content Security/i",
  },
  {
    rule: "a tensor that was disposed of is not said to lie elsewhere",
    file: "src/operand.ts",
    find: 'if (location === "none")',
    replace: 'if (location === "")',
  },
  {
    rule: "what keeps dataSync from giving data names the tensor",
    file: "src/operand.ts",
    find: "  try {\n    return tensor.dataSync();",
    replace: "  return tensor.dataSync();\n  try {",
  },
  {
    rule: "the sizes of a result are the caller's own",
    file: "src/operand.ts",
    find: "dims: [...out.dims] }",
    replace: "dims: out.dims as number[] }",
  },
  { rule: "tensors begin as zeros", file: "src/tensor.ts", find: "runtime.memory.u8.fill(0, ptr, ptr + bytes);", replace: "" },
  {
    rule: "reshaped tensors share their memory's life",
    file: "src/tensor.ts",
    find: "block.users++;",
    replace: "block.users = 1;",
  },
  {
    rule: "unknown options are refused",
    file: "src/check.ts",
    find: "if (!known.includes(name)) throw",
    replace: "if (known.length === 0) throw",
  },
];
