// The matrix product. See scripts/breaks.mjs.

const MATMUL = ["matmul"];
const ACCURACY = ["matmulAccuracy"];

export default [
  {
    rule: "matmul: the last block of k may have fewer steps",
    find: "const steps = min(K_BLOCK, p.depth - k);",
    replace: "const steps = K_BLOCK;",
    tests: MATMUL,
  },
  {
    rule: "matmul: sums continue from block to block",
    find: "packed + ((k * ceilPanel(columns)) << 2)",
    replace: "packed",
    tests: MATMUL,
  },
  {
    rule: "matmul: k is summed in chains, not in one",
    find: "const chainEnd = continues ? aEnd : min(rowPtr + CHAIN_BYTES, aEnd);",
    replace: "const chainEnd = aEnd;",
    tests: ACCURACY,
  },
  {
    rule: "matmul: one row is summed in the chains of many",
    find: "  else accumulateRowInChains(aPtr, bPtr, bPanelBytes, cPtr, steps, panels, sumsPtr);",
    replace: "  else accumulateRows(1, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);",
    tests: ACCURACY,
  },
  {
    rule: "matmul: each chain of a single row begins with 0",
    find: "memory.fill(sumsPtr, 0, FEW_PANELS * PANEL_BYTES);",
    replace: "",
    tests: MATMUL,
  },
  {
    rule: "matmul: a chain is a sum from 0, which is then added",
    file: "accumulateRows.ts",
    find: "if (adds) {",
    replace: "if (false) {",
    tests: ACCURACY,
  },
  {
    rule: "matmul: nothing beyond the last column is written",
    find: "const wholeEnd = toPtr + ((columns & ~7) << 2);",
    replace: "const wholeEnd = toPtr + (ceilPanel(columns) << 2);",
    tests: MATMUL,
  },
  {
    rule: "matmul: the bias belongs to the unit's columns",
    find: "let biasPtr = p.bias + (column << 2);",
    replace: "let biasPtr = p.bias;",
    tests: MATMUL,
  },
  {
    rule: "matmul: sums begin with the contents of out only if requested",
    find: "if (p.accumulate) loadStrip(",
    replace: "if (true) loadStrip(",
    tests: MATMUL,
  },
  {
    rule: "matmul: the requested activation is applied",
    find: "1 + ACTIVATIONS.indexOf(products.activation)",
    replace: "ACTIVATIONS.indexOf(products.activation)",
    tests: MATMUL,
  },
  {
    rule: "matmul: an out that accumulates is copied in",
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
    rule: "matmul: rows are joined only if one matrix serves all of them",
    find: "!isATransposed && countOf(bLeading) === 1",
    replace: "!isATransposed",
    tests: MATMUL,
  },
  {
    rule: "matmul: an axis of size 1 broadcasts",
    file: "broadcast.ts",
    find: "if (size !== 1) strides[axis] = stride;",
    replace: "strides[axis] = stride;",
    tests: MATMUL,
  },
  {
    rule: "matmul: the result lacks the axis of a vector a",
    find: "const dims = [...leading, ...(isAVector ? [] : [rows]),",
    replace: "const dims = [...leading, rows,",
    tests: MATMUL,
  },
  {
    rule: "matmul: a vector b is a column",
    find: "? [bOperand.count, 1]",
    replace: "? [1, bOperand.count]",
    tests: MATMUL,
  },
  {
    rule: "matmul: vectors are not transposed",
    find: "if (dims.length === 1 && transposed)",
    replace: "if (dims.length > 64 && transposed)",
    tests: MATMUL,
  },
  {
    rule: "matmul: fewer threads if memory is short",
    find: "Math.min(threads, units, fitting)",
    replace: "Math.min(threads, units)",
    tests: MATMUL,
  },
  {
    rule: "matmul: out must not overlap operands",
    find: "call.close();\n  const packed = bOperand",
    replace: "const packed = bOperand",
    tests: MATMUL,
  },
  {
    rule: "packMatrix: a failure frees the memory",
    find: "span.release();\n      throw error;",
    replace: "throw error;",
    tests: MATMUL,
  },
];
