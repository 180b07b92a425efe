// The matrix product. See scripts/breaks.mjs.

const MATMUL = ["matmul"];

export default [
  {
    rule: "matmul: the last block of k has fewer steps",
    find: "const steps = min(K_BLOCK, p.depth - k);",
    replace: "const steps = K_BLOCK;",
    tests: MATMUL,
  },
  {
    rule: "matmul: sums go on from block to block",
    find: "packed + ((k * ceilPanel(columns)) << 2)",
    replace: "packed",
    tests: MATMUL,
  },
  {
    rule: "matmul: nothing beyond the last column is written",
    find: "const wholeEnd = toPtr + ((columns & ~7) << 2);",
    replace: "const wholeEnd = toPtr + (ceilPanel(columns) << 2);",
    tests: MATMUL,
  },
  {
    rule: "matmul: the bias is that of the unit's columns",
    find: "let biasPtr = p.bias + (column << 2);",
    replace: "let biasPtr = p.bias;",
    tests: MATMUL,
  },
  {
    rule: "matmul: sums begin with what out holds, only where that is asked for",
    find: "if (p.accumulate) loadStrip(",
    replace: "if (true) loadStrip(",
    tests: MATMUL,
  },
  {
    rule: "matmul: the activation is the one asked for",
    find: "1 + ACTIVATIONS.indexOf(products.activation)",
    replace: "ACTIVATIONS.indexOf(products.activation)",
    tests: MATMUL,
  },
  {
    rule: "matmul: what accumulates is copied in",
    find: "if (!operand.isResult || operand.isUpdated) copyIn",
    replace: "if (!operand.isResult) copyIn",
    tests: MATMUL,
  },
  {
    rule: "matmul: a transposed row ends with its last step",
    find: "const last = fromPtr + (steps - 1) * stepBytes;",
    replace: "const last = fromPtr;",
    tests: MATMUL,
  },
  {
    rule: "matmul: rows are taken together only where one matrix serves all",
    find: "!isATransposed && countOf(bLeading) === 1",
    replace: "!isATransposed",
    tests: MATMUL,
  },
  {
    rule: "matmul: an axis of 1 stands for any size",
    file: "broadcast.ts",
    find: "if (size !== 1) strides[axis] = stride;",
    replace: "strides[axis] = stride;",
    tests: MATMUL,
  },
  {
    rule: "matmul: fewer threads where memory is short",
    find: "Math.min(threads, units, fitting)",
    replace: "Math.min(threads, units)",
    tests: MATMUL,
  },
  {
    rule: "matmul: out may not be what is read",
    find: "call.close();\n  const packed = bOperand",
    replace: "const packed = bOperand",
    tests: MATMUL,
  },
  {
    rule: "packMatrix: a failure gives the memory back",
    find: "span.release();\n      throw error;",
    replace: "throw error;",
    tests: MATMUL,
  },
];
