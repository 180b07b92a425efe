// The multi-head layer. See scripts/breaks.mjs.

const PARITY = ["multiHeadAttention"];
const PROPERTIES = ["multiHeadProperties"];
const ERRORS = ["multiHeadErrors"];
const TORCH = ["torchStateDict"];

export default [
  {
    rule: "a layer's gates multiply its heads",
    find: "else if (gate !== 1) for",
    replace: "else if (gate === undefined) for",
    tests: PARITY,
  },
  {
    rule: "a layer's gate of 0 leaves nothing of a head, NaN neither",
    find: "if (gate === 0) heads.fill(0, first, first + valueDim);",
    replace: "if (gate === 0) for (let index = first; index < first + valueDim; index++) heads[index]! *= gate;",
    tests: PROPERTIES,
  },
  {
    rule: "a layer's zero attention is zeros",
    find: "f32.fill(0, start, end);",
    replace: "",
    tests: PARITY,
  },
  {
    rule: "a layer's biasK stands before its key of zeros",
    find: "if (bias) f32.set(bias.data, start);",
    replace: "if (bias) f32.set(bias.data, end - width);",
    tests: PARITY,
  },
  {
    rule: "a layer's extra keys leave room between sequences",
    find: "out: y + 4 * group * outRows * outDim",
    replace: "out: y + 4 * group * rows * outDim",
    tests: PARITY,
  },
  {
    rule: "every row sees a layer's extra keys",
    find: "data.fill(1, start + kvLen, start + width);",
    replace: "",
    tests: PARITY,
  },
  {
    rule: "rows that don't count see none of a layer's extra keys",
    find: "row < queryStart + queryLength",
    replace: "row < Math.max(queryStart + queryLength, queryStart + seqLen)",
    tests: PARITY,
  },
  {
    rule: "beside a layer's extra keys a window hides what it hides without them",
    find: "key >= position - windowLeft",
    replace: "key > position - windowLeft",
    tests: PARITY,
  },
  {
    rule: "beside a layer's extra keys each head has its mask",
    find: "given && given.strides.head !== 0 ? numHeads : 1",
    replace: "1",
    tests: PARITY,
  },
  {
    rule: "beside a layer's extra keys the others have their bias",
    find: "return { mask: extendedMask(runtime, call, extra), bias: extendedBias(runtime, call, extra) };",
    replace: "return { mask: extendedMask(runtime, call, extra), bias: undefined };",
    tests: PARITY,
  },
  {
    rule: "a layer's averageWeights are means",
    find: "= sum / numHeads;",
    replace: "= sum;",
    tests: PARITY,
  },
  {
    rule: "a layer normalizes keys by their own parameters",
    find: "normalizeHeads(parts, operation, k, parts.kNorm);",
    replace: "normalizeHeads(parts, operation, k, parts.qNorm);",
    tests: PARITY,
  },
  {
    rule: "a layer's rows turn by their positions",
    find: "positions[first + row] = queryOffset + row;",
    replace: "positions[first + row] = row;",
    tests: PARITY,
  },
  {
    rule: "a layer's keys turn by positions that count from the first one of their sequence",
    find: "const first = batch * rows + keyStart;",
    replace: "const first = batch * rows;",
    tests: PARITY,
  },
  {
    rule: "keys that a layer adds to a cache stand behind those that are there",
    find: "const keyPlaces = stored ? queryPlaces : angles &&",
    replace: "const keyPlaces = angles &&",
    tests: PROPERTIES,
  },
  {
    rule: "a layer's rows see no later ones of a cache",
    file: "storedKeys.ts",
    find: "given.causal ?? true",
    replace: "given.causal ?? false",
    tests: PROPERTIES,
  },
  {
    rule: "a layer keeps to the window of a rolling cache",
    file: "storedKeys.ts",
    find: "window: given.window ?? window",
    replace: "window: given.window",
    tests: PROPERTIES,
  },
  {
    rule: "a layer adds as many rows to a cache as count",
    find: "added?.cache.stage(operation, added.counts)",
    replace: "added?.cache.stage(operation, added.counts.map(() => call.attention.shape.seqLen))",
    tests: PROPERTIES,
  },
  {
    rule: "a layer's memory has the lengths that it was given",
    find: 'integersOf(operation, "keyLengths", keyLengths, batch, 0, source.rows)',
    replace: 'integersOf(operation, "keyLengths", keyLengths, batch, 0, source.rows).map(() => source.rows)',
    tests: PROPERTIES,
  },
  {
    rule: "a layer adds to what out holds",
    find: "accumulate: call.accumulate",
    replace: "accumulate: false",
    tests: PROPERTIES,
  },
  {
    rule: "a layer without some heads has the key/value heads of those that stay",
    find: "left.filter((_, index) => index % groupSize === 0).map(kvHeadOf)",
    replace: "[...new Set(left.map(kvHeadOf))]",
    tests: PROPERTIES,
  },
  {
    rule: "a layer without some heads keeps the gates of the others",
    find: "headGates: left.map((head) => config.headGates[head]!)",
    replace: "headGates: left.map((_, head) => config.headGates[head]!)",
    tests: PROPERTIES,
  },
  {
    rule: "columns of a packed matrix come back from every block of a layer's rows",
    find: "(column - ofPanel) * steps + ofPanel",
    replace: "(column - ofPanel) * K_BLOCK + ofPanel",
    tests: PROPERTIES,
  },
  {
    rule: "a layer takes q, k and v apart where they lie side by side",
    find: "matrix.subarray(row * all + first, row * all + first + size)",
    replace: "matrix.subarray(row * all, row * all + size)",
    tests: PROPERTIES,
  },
  {
    rule: "a layer's call that fails leaves a cache as it was",
    find: "staged?.undo();",
    replace: "staged?.keep();",
    tests: ERRORS,
  },
  {
    rule: "what a getter does to a cache is seen before a layer uses it",
    find: "if (changes !== stored.changes)",
    replace: "if (changes < 0)",
    tests: ERRORS,
  },
  {
    rule: "what a getter does to a layer is seen before it is used",
    find: "extraKeysOf(this.#parts), x, options);\n    this.#assertReady(operation); // a getter may have disposed of the layer",
    replace: "extraKeysOf(this.#parts), x, options);",
    tests: ERRORS,
  },
  {
    rule: "a layer that finds no memory leaves none of its parameters there",
    find: "for (const part of made) part?.dispose();",
    replace: "",
    tests: ERRORS,
  },
  {
    rule: "rotary of a layer ends with its tables",
    find: "if (tables && position >= tables.positions)",
    replace: "if (tables && position > tables.positions)",
    tests: ERRORS,
  },
  {
    rule: "results of a layer don't overlap its operands",
    find: "refuseOverlaps(operation, callers, (result) => (result === out ? input : undefined));",
    replace: "",
    tests: ERRORS,
  },
  {
    rule: "a layer from PyTorch has the sizes of keys and values that its matrices have",
    find: 'kDim: matrix("k")?.dims[1]',
    replace: 'kDim: matrix("q")?.dims[1]',
    tests: TORCH,
  },
  {
    rule: "a layer from PyTorch takes the names behind its prefix alone",
    find: "if (!full.startsWith(prefix)) continue;",
    replace: "",
    tests: TORCH,
  },
];
