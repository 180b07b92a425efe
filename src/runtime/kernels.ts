/** The ABI of `assembly/index.ts`, as TypeScript sees it. Pointers are byte addresses. */

/** Must equal ABI_VERSION in `assembly/abi/identity.ts`. */
export const ABI_VERSION = 8;

/** Columns in a panel, see `assembly/tiles/layout.ts`. */
export const PANEL = 8;

/** Kernels whose work threads may share: units `first` to `end` − 1 at a time. By number in a job. */
export const SHARED_KERNELS = [
  "attention",
  "splitScores",
  "splitValues",
  "matmul",
  "activate",
  "softmax",
  "normalize",
  "rotary",
  "rotaryTables",
  "linearAttention",
  "gateHeads",
  "averageWeights",
  "readSums",
] as const;
export type SharedKernel = (typeof SHARED_KERNELS)[number];

/** What lays out a thread's workspace before such a kernel runs, where it needs that. */
const PLACERS: Partial<Record<SharedKernel, "placeWorkspace" | "placeProduct" | "placeLinearWork">> = {
  attention: "placeWorkspace",
  splitScores: "placeWorkspace",
  splitValues: "placeWorkspace",
  matmul: "placeProduct",
  linearAttention: "placeLinearWork",
  readSums: "placeLinearWork",
};

/** Readies a thread's workspace for a kernel. */
export function placeWorkspace(kernels: Kernels, kernel: SharedKernel, params: number, workspace: number): void {
  const placer = PLACERS[kernel];
  if (placer) kernels[placer](params, workspace);
}

// A type, not an interface: the loader wants an index signature.
export type Kernels = {
  readonly memory: WebAssembly.Memory;
  attention(params: number, workspace: number, firstStrip: number, endStrip: number): void;
  splitScores(params: number, workspace: number, firstUnit: number, endUnit: number): void;
  splitValues(params: number, workspace: number, firstUnit: number, endUnit: number): void;
  activate(params: number, workspace: number, firstUnit: number, endUnit: number): void;
  softmax(params: number, workspace: number, firstUnit: number, endUnit: number): void;
  normalize(params: number, workspace: number, firstRow: number, endRow: number): void;
  rotary(params: number, workspace: number, firstRow: number, endRow: number): void;
  rotaryTables(params: number, workspace: number, firstRow: number, endRow: number): void;
  rotaryFrequencies(frequencies: number, rotaryDim: number, base: number): void;
  linearAttention(params: number, workspace: number, firstUnit: number, endUnit: number): void;
  readSums(params: number, workspace: number, firstState: number, endState: number): void;
  packSums(rows: number, states: number, numStates: number, featureDim: number, valueDim: number, chunkSize: number): void;
  linearStateBytes(featureDim: number, valueDim: number, chunkSize: number): number;
  linearWorkBytes(headDim: number, featureDim: number, valueDim: number, chunkSize: number, stripRows: number): number;
  placeLinearWork(params: number, ptr: number): void;
  randomProjections(ptr: number, seed: number, head: number, featureDim: number, headDim: number): void;
  sharedScoresBytes(strips: number, maxKvLen: number): number;
  placeWorkspace(params: number, ptr: number): void;
  cacheBlockBytes(numKvHeads: number, headDim: number, valueDim: number, isInt8: number): number;
  transferBytes(headDim: number, valueDim: number): number;
  appendKeys(params: number, scratch: number): number;
  readKeys(params: number, scratch: number): void;
  workspaceBytes(maxKvLen: number, headDim: number, valueDim: number): number;
  matmul(params: number, workspace: number, firstUnit: number, endUnit: number): void;
  placeProduct(params: number, ptr: number): void;
  productUnits(params: number): number;
  productWorkspaceBytes(params: number): number;
  packedBytes(depth: number, columns: number): number;
  packMatrix(b: number, isTransposed: number, depth: number, columns: number, packed: number): void;
  unpackColumns(packed: number, depth: number, columns: number, indices: number, count: number, out: number): void;
  gateHeads(params: number, workspace: number, firstRow: number, endRow: number): void;
  averageWeights(params: number, workspace: number, firstRow: number, endRow: number): void;
  writeExtraRows(ptr: number, bias: number, batchSize: number, rows: number, extraRows: number, width: number): void;
  merge(params: number): void;
  widenFloat16(src: number, dst: number, count: number): void;
  abiVersion(): number;
  build(): number;
  heapBase(): number;
  multiplyAdds(steps: number): number;
  multiplyAdd(a: number, b: number, c: number): number;
  panel(): number;
  block(): number;
  scoreStrip(tileRows: number, qStrip: number, kPanels: number, scores: number, headDim: number, panels: number): void;
  addValues(
    tileRows: number,
    weights: number,
    vPanels: number,
    vPanelBytes: number,
    accumulators: number,
    panels: number,
    keys: number,
  ): void;
  rowMax(scores: number, bytes: number): number;
  exponentials(scores: number, bytes: number, shift: number): number;
  softcapRow(scores: number, bytes: number, softcap: number): void;
  packRows(rows: number, rowsStep: number, numRows: number, panel: number, channels: number, scale: number): void;
  packKeys(k: number, rowBytes: number, first: number, keys: number, headDim: number, panels: number): void;
  packValues(
    v: number,
    rowBytes: number,
    first: number,
    keys: number,
    valueDim: number,
    panels: number,
    panelBytes: number,
  ): number;
};
