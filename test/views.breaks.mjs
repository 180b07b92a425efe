// Views, layouts, and the orders of a layer. See scripts/breaks.mjs.

const views = { tests: ["views", "viewErrors", "layouts", "layerLayouts"] };

export default [
  {
    rule: "views: they begin at their offset",
    ...views,
    find: "typedArrayOffset(whole) + offset * BYTES_PER_ELEMENT[kind]",
    replace: "typedArrayOffset(whole) + offset * 4",
  },
  {
    rule: "views: what is converted begins at the offset too",
    ...views,
    find: "j = 0, index = offset + start;",
    replace: "j = 0, index = start;",
  },
  {
    rule: "views: the last element lies in the data",
    ...views,
    find: "count === 0 || offset + spanOf(dims, strides, count) <= length",
    replace: "count === 0 || offset + count <= length",
  },
  {
    rule: "views: one without elements reads nothing",
    ...views,
    find: "offset === undefined ? length === count : count === 0 ||",
    replace: "offset === undefined ? length === count :",
  },
  {
    rule: "views: strides are not negative",
    ...views,
    find: "integersOf(operation, `${name}.strides`, list, dims.length, 0, most",
    replace: "integersOf(operation, `${name}.strides`, list, dims.length, -most, most",
  },
  {
    rule: "views: the stride of an axis of size 1 has no effect",
    ...views,
    find: "strides.map((stride, axis) => (dims[axis] === 1 ? 0 : stride))",
    replace: "strides",
  },
  {
    rule: "views: elements of a place do not overlap",
    ...views,
    find: "at === axis || other > stride ? 0 : other",
    replace: "at === axis || other >= stride ? 0 : other",
  },
  {
    rule: "views: a place that may be read in any order need not be written so",
    ...views,
    find: "if (place.strides && !areSeparate",
    replace: "if (false && !areSeparate",
  },
  {
    rule: "views: rows are used in place only where their elements lie side by side",
    ...views,
    find: "strides.at(-1) === 1 ||",
    replace: "strides.at(-1) !== 0 ||",
  },
  {
    rule: "views: rows that lie side by side are used in place",
    ...views,
    find: "takesStrides && (strides",
    replace: "!takesStrides && (strides",
  },
  {
    rule: "views: kernels get the strides of what they use in place",
    ...views,
    find: "strides && !isOutside ?",
    replace: "strides && isOutside ?",
  },
  {
    rule: "views: results are scattered",
    ...views,
    find: "if (isResult) copyPlaced(dims, apart, strides, dense, denseStrides);",
    replace: "if (isResult) copyPlaced(dims, apart, denseStrides, dense, denseStrides);",
  },
  {
    rule: "views: long rows are copied whole only where both lie so",
    ...views,
    find: "length >= LONG_ROW && step === 1 && stride === 1",
    replace: "length >= 2 && step === 1",
  },
  {
    rule: "views: out is q only with the same strides",
    ...views,
    find: "haveSameSizes([...input.dims, ...stridesIn(input)], [...place.dims, ...stridesIn(place)])",
    replace: "haveSameSizes(input.dims, place.dims)",
  },
  {
    rule: "views: results overlap wherever they lie",
    ...views,
    find: "data && viewOffset === undefined ? [typedArrayBuffer",
    replace: "data ? [typedArrayBuffer",
  },
  {
    rule: "views: a detached one is noticed",
    ...views,
    find: "if (length !== span)",
    replace: "if (length > span)",
  },
  {
    rule: "views: in a worker a place keeps what lies between its elements",
    ...views,
    find: "if (view) fillView(data, results, sizes, view);",
    replace: "if (view) data.set(results);",
  },
  {
    rule: "rank 3: its result has rank 3",
    ...views,
    find: "dims.length === 3 ? query.heads * valueDim",
    replace: "dims.length === 9 ? query.heads * valueDim",
  },
  {
    rule: "rank 3: rows split into whole heads",
    ...views,
    find: "heads === (numHeads ?? heads) && Number.isInteger(channels)",
    replace: "heads === (numHeads ?? heads)",
  },
  {
    rule: "rank 3: tensors of rank 4 have the heads that are said",
    ...views,
    find: "heads === (numHeads ?? heads) && Number.isInteger(channels)",
    replace: "Number.isInteger(channels)",
  },
  {
    rule: "layouts: the reference knows the sequence first",
    ...views,
    find: 'layout === "bshd" ? b * rows + i : i * batch + b',
    replace: 'layout !== "bhsd" ? b * rows + i : i * batch + b',
  },
  {
    rule: "layouts: the baseline knows the sequence first",
    ...views,
    find: 'layout === "bshd" ? heads : batchSize * heads',
    replace: "heads",
  },
  {
    rule: "layouts: a layer takes the sequence first",
    ...views,
    find: "[axes[1]!, axes[0]!, axes[2]!] : [...axes]",
    replace: "[...axes] : [...axes]",
  },
  {
    rule: "layouts: results of a layer that takes the sequence first lie so",
    ...views,
    find: "layerCall.out ?? batchFirst(layout, newResult(call, reordered(layout, layerCall.outDims)))",
    replace: "layerCall.out ?? newResult(call, layerCall.outDims)",
  },
  {
    rule: "orders: a group is a key/value head",
    ...views,
    find: 'config.order === "qkv" ? 1 : numKvHeads',
    replace: 'config.order !== "groups" ? 1 : numKvHeads',
  },
  {
    rule: "orders: biases have the order of the matrix",
    ...views,
    find: "elementsAt(qkvBias, first, [groups, size], [width, 1])",
    replace: "elementsAt(qkvBias, first, [groups, size], [size, 1])",
  },
];
