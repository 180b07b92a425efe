// The relative bias of T5. See scripts/breaks.mjs.

export default [
  {
    rule: "t5RelativeBias: a distance at a border is in the next bucket",
    find: "BigInt(middle) ** BigInt(rest) >= border",
    replace: "BigInt(middle) ** BigInt(rest) > border",
    tests: ["t5RelativeBias"],
  },
  {
    rule: "t5RelativeBias: half of the buckets are for keys after the row",
    find: "fill(inDirection + bucket,",
    replace: "fill(bucket,",
    tests: ["t5RelativeBias"],
  },
  {
    rule: "t5RelativeBias: one way, keys after the row are in bucket 0",
    find: "if (!isBothWays) fill(0, length, distances);",
    replace: "",
    tests: ["t5RelativeBias"],
  },
  {
    rule: "t5RelativeBias: each head has its column",
    find: "numbers[bucket * numHeads + h]!",
    replace: "numbers[bucket * numHeads]!",
    tests: ["t5RelativeBias"],
  },
];
