// The checked-in bits of every operation. See scripts/breaks.mjs.

const BITS = ["bits.node"];

export default [
  {
    rule: "bits: the last bit of a constant of the exponential is noticed",
    find: " 0.24022647738457,",
    replace: " 0.24022649228573,",
    tests: BITS,
  },
  {
    rule: "bits: a slightly less exact reduction of angles is noticed",
    find: "1.66666666666666019037e-1",
    replace: "1.66666666e-1",
    tests: BITS,
  },
  {
    rule: "bits: an operation without a case is noticed",
    find: '    "Engine.restoreKVCache",\n',
    replace: "",
    tests: BITS,
  },
  {
    rule: "bits: a case that claims more than it does is noticed",
    find: "const smaller = mine.pruneHeads([0, 3]);",
    replace: "const smaller = engine.createMultiHeadAttention(GROUPED, groupedParameters(inputs));",
    tests: BITS,
  },
  {
    rule: "bits: a result that does not depend on the seed is noticed",
    find: "this.next = uniform(seed);",
    replace: "this.next = uniform(seed && 1);",
    tests: BITS,
  },
  {
    rule: "bits: all NaN count as one",
    find: "if (Number.isNaN(value)) bytes.setUint32(4 * index, CANONICAL_NAN, true);\n    else ",
    replace: "",
    tests: BITS,
  },
  {
    rule: "bits: a host ends when its threads end, not when a timer fires",
    find: 'for (const event of ["message", "error"]) worker.addEventListener(event, () => URL.revokeObjectURL(url), { once: true });',
    replace: "setTimeout(() => URL.revokeObjectURL(url), 10_000);",
    tests: ["packagedWorker.node"],
  },
];
