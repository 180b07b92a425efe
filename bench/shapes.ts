/** The shapes of the benches and of `npm start`. */

export interface AttentionShape {
  readonly name: string;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly seqLen: number;
  /** Where there are more keys than queries. */
  readonly kvLen?: number;
  readonly headDim: number;
  readonly causal: boolean;
  /** How many keys before its position a row sees, where that is bounded. */
  readonly window?: number;
}

const attention = (
  name: string,
  numHeads: number,
  numKvHeads: number,
  seqLen: number,
  headDim: number,
  causal: boolean,
): AttentionShape => ({
  name,
  numHeads,
  numKvHeads,
  seqLen,
  headDim,
  causal,
});

/** One layer of known models. */
export const MODEL_LAYERS: readonly AttentionShape[] = [
  attention("GPT-2 small, 1024 tokens, causal", 12, 12, 1024, 64, true),
  attention("BERT-base, 512 tokens", 12, 12, 512, 64, false),
  attention("Llama-3.2-1B, 2048 tokens, causal, 32/8 heads", 32, 8, 2048, 64, true),
];

const fullAndCausal = (seqLen: number): AttentionShape[] =>
  [false, true].map((causal) => attention(`12×${seqLen}×64 ${causal ? "causal" : "full"}`, 12, 12, seqLen, 64, causal));

/** 12 heads of 64 at growing length. */
export const FORWARD: readonly AttentionShape[] = [128, 512, 1024, 2048].flatMap(fullAndCausal);

/** A length at which the scores of all heads would take 0.8 GB if they were kept. */
export const LONG: readonly AttentionShape[] = fullAndCausal(4096);

/** The same with a window of 512 keys: the time grows with the length, not with its square. */
export const windowed = (seqLen: number): AttentionShape => ({
  ...attention(`12×${seqLen}×64 window 512`, 12, 12, seqLen, 64, true),
  window: 511,
});

/** Calls so small that the overhead around the arithmetic counts. */
export const SMALL_CALLS: readonly AttentionShape[] = [
  attention("1×16×64 full", 1, 1, 16, 64, false),
  attention("1×32×64 full", 1, 1, 32, 64, false),
  attention("12×32×64 full", 12, 12, 32, 64, false),
];

/** One head, few rows, every usual headDim. */
export const ONE_HEAD: readonly AttentionShape[] = [16, 32, 64, 128].flatMap((seqLen) =>
  [32, 64, 80, 96, 128].map((headDim) => attention(`1×${seqLen}×${headDim} full`, 1, 1, seqLen, headDim, false)),
);

/** One token that attends to a cache. */
export interface DecodeShape {
  readonly name: string;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly kvLen: number;
}

/** Each head with its own keys, four query heads per key/value head as in Llama 3, and a single head. */
export const DECODE: readonly DecodeShape[] = [512, 2048, 8192, 32768, 131072].flatMap((kvLen) =>
  [
    [8, 8],
    [32, 8],
    [1, 1],
  ].map(([numHeads, numKvHeads]) => ({
    name: `${numHeads}/${numKvHeads}×128 ${kvLen} keys`,
    numHeads: numHeads!,
    numKvHeads: numKvHeads!,
    headDim: 128,
    kvLen,
  })),
);

/**
 * The same in the form that other libraries can compute: all query heads of a group are rows of one head, which see all keys. The
 * single head and the longest shapes are left out.
 */
export const DECODE_ROWS: readonly AttentionShape[] = DECODE.filter(
  ({ numKvHeads, kvLen }) => numKvHeads > 1 && kvLen >= 2048 && kvLen <= 32768,
).map(({ name, numHeads, numKvHeads, headDim, kvLen }) => ({
  name: `decode ${name}`,
  numHeads: numKvHeads,
  numKvHeads,
  seqLen: numHeads / numKvHeads,
  kvLen,
  headDim,
  causal: false,
}));

/** Options of the call that a shape names. */
export const optionsOf = ({ causal, window }: AttentionShape): { causal: boolean; window?: [number, number] } => ({
  causal,
  ...(window === undefined ? {} : { window: [window, 0] }),
});

/** Pairs of a query and a key visible to it, over all heads. */
export function visiblePairs({ numHeads, seqLen, kvLen = seqLen, causal, window = seqLen - 1 }: AttentionShape): number {
  const hidden = seqLen - 1 - window;
  return numHeads * (causal ? (seqLen * (seqLen + 1) - hidden * (hidden + 1)) / 2 : seqLen * kvLen);
}

/** Floating-point operations of the result: a product and a sum per channel in q·k and in p·v. */
export const flopsOf = (shape: AttentionShape): number => 4 * visiblePairs(shape) * shape.headDim;

/** A matrix product [rows, depth] · [depth, columns]. */
export interface MatmulShape {
  readonly name: string;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
}

/** Squares, the projections of a layer of width 768, tall, deep, and one row, which is bound by reading the matrix. */
export const MATMUL: readonly MatmulShape[] = [
  ...[64, 128, 256, 512, 1024, 2048].map((size): [number, number, number] => [size, size, size]),
  ...([
    [512, 768, 768],
    [512, 768, 3072],
    [4096, 256, 64],
    [64, 4096, 256],
    [1, 768, 3072],
    [1, 4096, 4096],
    [8, 4096, 4096],
  ] as const),
].map(([rows, depth, columns]) => ({ name: `${rows}×${depth}×${columns}`, rows, depth, columns }));
