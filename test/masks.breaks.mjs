// Masks as tensors. See scripts/breaks.mjs.

export default [
  {
    rule: "masks: a row's own position is visible",
    find: "row.fill(1, 0, Math.max(0, i + offset + 1))",
    replace: "row.fill(1, 0, Math.max(0, i + offset))",
    tests: ["masks"],
  },
  {
    rule: "masks: windows include both ends",
    find: "Math.max(0, i + offset + after + 1));",
    replace: "Math.max(0, i + offset + after));",
    tests: ["masks"],
  },
  {
    rule: "masks: rows end with the keys",
    find: "-MAX_POSITION, MAX_POSITION)) ?? keys - rows",
    replace: "-MAX_POSITION, MAX_POSITION)) ?? 0",
    tests: ["masks"],
  },
  {
    rule: "masks: combining broadcasts",
    file: "broadcast.ts",
    find: "if (size !== 1) strides[axis] = stride;",
    replace: "strides[axis] = stride;",
    tests: ["masks"],
  },
  {
    rule: "masks: bytes other than 0 may attend",
    find: "Number(data[offset + j * step] !== 0)",
    replace: "data[offset + j * step]!",
    tests: ["masks"],
  },
];
