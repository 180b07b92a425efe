// The definitions of headwise/reference. See scripts/breaks.mjs.

export default [
  {
    rule: "definitions: ALiBi counts distances in both directions",
    find: "* Math.abs(distance);",
    replace: "* distance;",
    tests: ["definitionsOfPositions"],
  },
  {
    rule: "definitions: distances count from the row's position",
    find: "distanceBias(options, b, h, j - row.position)",
    replace: "distanceBias(options, b, h, j - i)",
    tests: ["definitionsOfPositions"],
  },
  {
    rule: "definitions: contentBias meets keys, positionBias meets relativeKeys",
    find: "(positionBias?.data[h * headDim + d] ?? 0)) * r",
    replace: "(contentBias?.data[h * headDim + d] ?? 0)) * r",
    tests: ["definitionsOfPositions"],
  },
  {
    rule: "definitions: weightsRange has rows of its own number",
    find: "* (endRow - firstRow) + i - firstRow",
    replace: "* (endRow - firstRow) + i",
    tests: ["definitionsOfPositions"],
  },
  {
    rule: "definitions: of equal scores the lower key comes first",
    find: "|| a - b);",
    replace: "|| b - a);",
    file: "looks.ts",
    tests: ["definitions"],
  },
  {
    rule: "definitions: centres count from the first key of the sequence",
    find: "return keyStart + (keyEnd - keyStart) / (1 + Math.exp(-logit));",
    replace: "return (keyEnd - keyStart) / (1 + Math.exp(-logit));",
    tests: ["definitions"],
  },
  {
    rule: "definitions: what is sampled depends on sequence, head and row",
    find: "of [seed, index, h, position - keyStart]) state",
    replace: "of [seed, h, position - keyStart]) state",
    tests: ["definitions"],
  },
  {
    rule: "definitions: query heads share the keys of their group",
    find: "Math.floor((h * heads) / numHeads)) * channels;",
    replace: "h % heads) * channels;",
    tests: ["definitions"],
  },
];
