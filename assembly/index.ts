/**
 * The ABI: what TypeScript may call. Pointers are byte addresses in linear memory, which the host owns; nothing here allocates.
 *
 *     attention.ts   many queries: strips × key blocks, online softmax
 *     split.ts       few queries: the keys of one strip shared by threads
 *     strip.ts       query rows that go through the tiles together, and their state
 *     band.ts        strips that go through the keys together
 *     stripOrder.ts  strips as units that threads share: whose is the next one
 *     blockScores.ts the scores of a strip and a block
 *     onlineSoftmax.ts  what a strip gathers from block to block
 *     handOut.ts     weights and scores, for who asks for them
 *     keyRange.ts    which keys a row may see, as bounds of the loops
 *     mask.ts        the same on scores: −∞ where bounds can't say it
 *     scores.ts      register tile for q·kᵀ           values.ts   register tile for p·v
 *     accumulators.ts  the sums of values.ts, row by row
 *     softmax.ts     maximum, exponentials, sum       exp2.ts     powers of two
 *     element.ts     what a tile reads: float32, or pairs of int8
 *     quantize.ts    integers for floats              pairPanels.ts   panels of int8
 *     tanh.ts        for softcap                      unit.ts     scores in units of log₂e
 *     pack.ts        rows into panels                 keyBlock.ts panels of a block of keys
 *     panels.ts      blocks of the head in work       cache.ts    rows into the blocks of a cache
 *     matmul.ts      blocked matrix product
 *     axisSoftmax.ts softmax along an axis            columnSoftmax.ts  the same where it is not the last one
 *     visibleScores.ts  its mask and bias             lanes.ts    parts of a vector
 *     normalize.ts   layer norm and RMS norm
 *     rotary.ts      rotary embeddings                angles.ts   their cosines and sines
 *     activations.ts gelu, silu and their like        exp.ts      powers of e, for these and tanh
 *     linear.ts      linear attention: full and in chunks
 *     linearKeys.ts  keys into a chunk                linearRows.ts  what its rows read
 *     linearFold.ts  a chunk into the sums            deltaRule.ts   what a delta rule makes of values
 *     linearRecurrence.ts  step by step               decays.ts      what is left of a position
 *     linearState.ts what stays of a head             linearWork.ts  scratch of one thread
 *     sums.ts        sums of states as rows
 *     featureMaps.ts φ, row by row                    randomFeatures.ts  projections of favor+
 *     expOfAny.ts    powers of e for either sign
 *     gates.ts       gates of heads                   averageWeights.ts  means of weights over the heads
 *     extraRows.ts   keys that every row sees         unpack.ts       columns of a packed matrix
 *     merge.ts       results on parts of the keys     float16.ts  widening
 *     workspace.ts   scratch of one thread            layout.ts   sizes that all of these share
 *     touch.ts       cache lines, many at once
 *     attentionParams.ts, rowParams.ts, linearParams.ts, matmulParams.ts  the structs of calls
 *     simd.ts        what the instruction set offers
 *     identity.ts    ABI number and build             peak.ts     what this host can do at most
 *     attentionAbi.ts  what the binary for attention alone exports
 */
export * from "./attentionOnly";
export { matmul, packedBytes, packMatrix, placeProduct, productUnits, productWorkspaceBytes } from "./product/matmul";
export { unpackColumns } from "./product/unpack";
export { gateHeads } from "./multiHead/gates";
export { averageWeights } from "./multiHead/averageWeights";
export { writeExtraRows } from "./multiHead/extraRows";
export { activate } from "./rows/activations";
export { softmax } from "./rows/softmax";
export { normalize } from "./rows/normalize";
export { rotary, rotaryTables } from "./rows/rotary";
export { rotaryFrequencies } from "./rows/angles";
export { linearAttention } from "./linear/linearAttention";
export { packSums, readSums } from "./linear/sums";
export { linearStateBytes } from "./linear/state";
export { linearWorkBytes, placeLinearWork } from "./linear/workspace";
export { randomProjections } from "./linear/randomFeatures";

// For tests and benches: sizes, and the stages of attention one by one.
export { block, panel } from "./abi/identity";
export { addValues } from "./tiles/accumulateRows";
export { exponentials, rowMax, softcapRow } from "./tiles/scoreRows";
export { packKeys, packRows, packValues } from "./tiles/pack";
