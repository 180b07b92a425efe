// The bits of every operation as they are checked in. See index.mjs.

const BITS = ["bits.node"];

export default [
  {
    rule: "bits: the last bit of a constant of the exponential is noticed",
    file: "assembly/exp2.ts",
    find: "  0.24022647738457,",
    replace: "  0.24022649228573,",
    tests: BITS,
  },
  {
    rule: "bits: a reduction of angles a little less exact is noticed",
    file: "assembly/angles.ts",
    find: "1.66666666666666019037e-1",
    replace: "1.66666666e-1",
    tests: BITS,
  },
  {
    rule: "bits: an operation without a case is noticed",
    file: "bits/cases/cache.ts",
    find: '"KVCache.restore", ',
    replace: "",
    tests: BITS,
  },
  {
    rule: "bits: a case that says more than it does is noticed",
    file: "bits/cases/layer.ts",
    find: "const smaller = mine.pruneHeads([0, 3]);",
    replace: "const smaller = engine.createMultiHeadAttention(GROUPED, groupedParameters(inputs));",
    tests: BITS,
  },
  {
    rule: "bits: a result that no seed changes is noticed",
    file: "bits/inputs.ts",
    find: "this.next = uniform(seed);",
    replace: "this.next = uniform(seed && 1);",
    tests: BITS,
  },
  {
    rule: "bits: all NaN count as one",
    file: "bits/hash.ts",
    find: "if (Number.isNaN(value)) bytes.setUint32(4 * index, CANONICAL_NAN, true);\n    else ",
    replace: "",
    tests: BITS,
  },
  {
    rule: "bits: a host ends when its threads do, not when a timer rings",
    file: "src/runtime/workerHost.ts",
    find: 'for (const event of ["message", "error"]) worker.addEventListener(event, () => URL.revokeObjectURL(url), { once: true });',
    replace: "setTimeout(() => URL.revokeObjectURL(url), 10_000);",
    tests: ["packagedWorker.node"],
  },
];
