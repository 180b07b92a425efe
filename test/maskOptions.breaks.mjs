// The options that hide keys by tensors, and a scale for each head. See scripts/breaks.mjs.

export default [
  {
    rule: "mask options: a mask shorter than the keys is an error",
    find: 'shortMask = "error" } = options;\n  const mayBeShort',
    replace: 'shortMask = "hide" } = options;\n  const mayBeShort',
    tests: ["errors"],
  },
  {
    rule: "mask options: the error of a short mask names the option that hides the rest",
    find: "        : isShort\n",
    replace: "        : !isShort\n",
    tests: ["errors"],
  },
  {
    rule: "mask options: a short mask after maskStart hides the keys beyond it, counted from there",
    find: "Math.min(startOf(batch) + (strides.mask",
    replace: "Math.min((strides.mask",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: keys before maskStart are visible",
    find: "<usize>max(0, sequence.maskStart - <i32>firstKey)",
    replace: "<usize>0",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: the mask's first column is key maskStart",
    find: "- <usize>sequence.maskStart * p.maskKeyStride",
    replace: "",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: maskStart counts from the first key of the entry, not of the sequence",
    find: "masks.maskStart(sequence.batch) - sequence.keyStart",
    replace: "masks.maskStart(sequence.batch)",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: the mask ends where the row's keys end",
    find: "p.maskKeyStride, keys - unmasked)",
    replace: "p.maskKeyStride, keys)",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: each sequence may have its own maskStart",
    find: "startOf: (batch) => starts[batch]!,",
    replace: "startOf: () => starts[0]!,",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: on a cache the columns reach the longest rest of a sequence",
    find: "(lengths?.[batch] ?? kvLen) - start",
    replace: "kvLen - start",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: maskStart shortens the mask only, not the bias",
    find: "broadcastStrides(operation, inputs.bias, shape, all,",
    replace: "broadcastStrides(operation, inputs.bias, shape, columns,",
    tests: ["errors", "maskOptions"],
  },
  {
    rule: "mask options: maskStart needs a mask",
    find: "if (!isAbsent(maskStart) && isAbsent(maskOption)) throw",
    replace: "if (!isAbsent(maskStart) && isAbsent(options)) throw",
    tests: ["errors"],
  },
  {
    rule: "mask options: keyMask hides keys",
    find: "if (p.keyMask) applyMask(rowScores, keyMask, 1, keys);",
    replace: "",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: keyMask has a row for each entry",
    find: "keyMaskBatchStride: inputs.keyMask?.dims.at(-1) ?? 0,",
    replace: "keyMaskBatchStride: 0,",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: keyMask counts the keys of the entry, not of the sequence",
    find: "sequence.batch * p.keyMaskBatchStride + sequence.keyStart + firstKey",
    replace: "sequence.batch * p.keyMaskBatchStride + firstKey",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: keyMask has exactly the sizes [batch, kvLen]",
    find: "if (keyMask) expectDims(operation,",
    replace: "if (keyMask && isOneRow) expectDims(operation,",
    tests: ["errors"],
  },
  {
    rule: "mask options: of one sequence, keyMask may be [kvLen]",
    find: "batchSize === 1 && keyMask?.dims.length === 1",
    replace: "batchSize === 0 && keyMask?.dims.length === 1",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: the error of a tokenizer's mask of two dims names keyMask",
    find: "dims[0] === batchSize && dims[1] === kvLen;",
    replace: "dims[0] === seqLen && dims[1] === kvLen;",
    tests: ["errors"],
  },
  {
    rule: "mask options: messages of softmax speak of softmax",
    find: '"0 where an element is left out"',
    replace: '"1 where a query may attend"',
    tests: ["softmax"],
  },
  {
    rule: "mask options: a mask of softmax shorter than its rows is an error",
    find: "(isShort && mayBeShort)) continue;",
    replace: "isShort) continue;",
    tests: ["softmax"],
  },
  {
    rule: "mask options: a scale for each head",
    find: "p.scales ? load<f32>(p.scales + (head << 2)) : p.scale",
    replace: "p.scales ? load<f32>(p.scales) : p.scale",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: a scale for each head replaces the scale of all",
    find: "p.scales ? 1 : scaleFinite(p.scale, scoreFactor)",
    replace: "scaleFinite(p.scale, p.scales ? 2 : scoreFactor)",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: as many scales as query heads",
    find: "if (count !== shape.numHeads) {",
    replace: "if (count > shape.numHeads) {",
    tests: ["errors"],
  },
  {
    rule: "mask options: the baseline has a scale for each head",
    find: 'const factor = typeof scale === "number" ? scale : scale[h]!;\n      for (let i = 0; i < seqLen; i++) {\n        const row = firstOf',
    replace:
      'const factor = typeof scale === "number" ? scale : scale[0]!;\n      for (let i = 0; i < seqLen; i++) {\n        const row = firstOf',
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: the reference has a scale for each head",
    find: 'const factor = typeof scale === "number" ? scale : scale[h]!;\n      for (let i = 0; i < seqLen; i++) {\n        const { queryEnd',
    replace:
      'const factor = typeof scale === "number" ? scale : scale[0]!;\n      for (let i = 0; i < seqLen; i++) {\n        const { queryEnd',
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: the reference shows the keys before maskStart",
    find: "(j < masked || broadcast(options.mask, b, h, i, j - masked, 1, 0) !== 0)",
    replace: "broadcast(options.mask, b, h, i, j - masked, 1, 0) !== 0",
    tests: ["maskOptions"],
  },
  {
    rule: "mask options: the reference has keyMask",
    find: "options.keyMask?.data[b * kvLen + j] !== 0 &&",
    replace: "",
    tests: ["maskOptions"],
  },
];
