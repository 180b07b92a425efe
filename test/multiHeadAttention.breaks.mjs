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
    rule: "a layer's gate of 0 removes a head completely, even NaN",
    find: "if (gate === 0) heads.fill(0, first, first + valueDim);",
    replace: "if (gate === 0) for (let index = first; index < first + valueDim; index++) heads[index]! *= gate;",
    tests: PROPERTIES,
  },
  {
    rule: "the keys of a layer's addZeroAttention are zeros",
    find: "f32.fill(0, start, end);",
    replace: "",
    tests: PARITY,
  },
  {
    rule: "a layer's biasK comes before its key of zeros",
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
    rule: "rows that do not count see none of a layer's extra keys",
    find: "row < queryStart + queryLength",
    replace: "row < Math.max(queryStart + queryLength, queryStart + seqLen)",
    tests: PARITY,
  },
  {
    rule: "with a layer's extra keys a window hides the same keys as without",
    find: "key >= position - windowLeft",
    replace: "key > position - windowLeft",
    tests: PARITY,
  },
  {
    rule: "with a layer's extra keys each head has its mask",
    find: "given && given.strides.head !== 0 ? numHeads : 1",
    replace: "1",
    tests: PARITY,
  },
  {
    rule: "with a layer's extra keys the other keys have their bias",
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
    rule: "a layer normalizes keys with their own parameters",
    find: "normalizeHeads(parts, operation, k, parts.kNorm);",
    replace: "normalizeHeads(parts, operation, k, parts.qNorm);",
    tests: PARITY,
  },
  {
    rule: "a layer's rows are rotated by their positions",
    find: "positions[first + row] = queryOffset + row;",
    replace: "positions[first + row] = row;",
    tests: PARITY,
  },
  {
    rule: "a layer's keys are rotated by positions that count from the first key of their sequence",
    find: "const first = batch * rows + keyStart;",
    replace: "const first = batch * rows;",
    tests: PARITY,
  },
  {
    rule: "keys that a layer adds to a cache come after those in it",
    find: "const keyPlaces = stored ? queryPlaces : angles &&",
    replace: "const keyPlaces = angles &&",
    tests: PROPERTIES,
  },
  {
    rule: "a layer's rows see no later keys of a cache",
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
    rule: "a layer adds only valid rows to a cache",
    find: "added?.cache.stage(operation, added.counts)",
    replace: "added?.cache.stage(operation, added.counts.map(() => call.attention.shape.seqLen))",
    tests: PROPERTIES,
  },
  {
    rule: "a layer's memory keeps its lengths",
    find: 'integersOf(operation, "keyLengths", keyLengths, batch, 0, source.rows)',
    replace: 'integersOf(operation, "keyLengths", keyLengths, batch, 0, source.rows).map(() => source.rows)',
    tests: PROPERTIES,
  },
  {
    rule: "a layer adds to the contents of out",
    find: "accumulate: call.accumulate",
    replace: "accumulate: false",
    tests: PROPERTIES,
  },
  {
    rule: "a pruned layer has the key/value heads of the remaining heads",
    find: "left.filter((_, index) => index % groupSize === 0).map(kvHeadOf)",
    replace: "[...new Set(left.map(kvHeadOf))]",
    tests: PROPERTIES,
  },
  {
    rule: "a pruned layer keeps the gates of the remaining heads",
    find: "headGates: left.map((head) => config.headGates[head]!)",
    replace: "headGates: left.map((_, head) => config.headGates[head]!)",
    tests: PROPERTIES,
  },
  {
    rule: "columns of a packed matrix are unpacked from every block of a layer's rows",
    find: "(column - ofPanel) * steps + ofPanel",
    replace: "(column - ofPanel) * K_BLOCK + ofPanel",
    tests: PROPERTIES,
  },
  {
    rule: "a layer separates q, k and v if they are in one matrix",
    find: "matrix.subarray(row * all + first, row * all + first + size)",
    replace: "matrix.subarray(row * all, row * all + size)",
    tests: PROPERTIES,
  },
  {
    rule: "a layer's call that fails leaves a cache unchanged",
    find: "staged?.undo();",
    replace: "staged?.keep();",
    tests: ERRORS,
  },
  {
    rule: "a getter's changes to a cache are detected before a layer uses it",
    find: "if (changes !== stored.changes)",
    replace: "if (changes < 0)",
    tests: ERRORS,
  },
  {
    rule: "a getter's changes to a layer are detected before it is used",
    find: "extraKeysOf(this.#parts), x, options);\n    this.#assertReady(operation); // a getter may have disposed of the layer",
    replace: "extraKeysOf(this.#parts), x, options);",
    tests: ERRORS,
  },
  {
    rule: "a layer without memory for all of its parameters keeps none",
    find: "for (const part of made) part?.dispose();",
    replace: "",
    tests: ERRORS,
  },
  {
    rule: "rotary of a layer ends where its tables end",
    find: "if (tables && position >= tables.positions)",
    replace: "if (tables && position > tables.positions)",
    tests: ERRORS,
  },
  {
    rule: "results of a layer must not overlap its operands",
    find: "refuseOverlaps(operation, callers, (result) => (result === out ? input : undefined));",
    replace: "",
    tests: ERRORS,
  },
  {
    rule: "a layer from PyTorch takes the sizes of keys and values from its matrices",
    find: 'kDim: matrix("k")?.dims[1]',
    replace: 'kDim: matrix("q")?.dims[1]',
    tests: TORCH,
  },
  {
    rule: "a layer from PyTorch takes only names with its prefix",
    find: "if (!full.startsWith(prefix)) continue;",
    replace: "",
    tests: TORCH,
  },
];
