/** The shapes that the benches and the main job name. */

export interface AttentionShape {
  readonly name: string;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly seqLen: number;
  readonly headDim: number;
  readonly causal: boolean;
}

const attention = (
  name: string,
  numHeads: number,
  numKvHeads: number,
  seqLen: number,
  headDim: number,
  causal: boolean,
): AttentionShape => ({
  ...{ name, numHeads, numKvHeads, seqLen, headDim, causal },
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

/** A length at which the scores of all heads take 0.8 GB, where they are kept. */
export const LONG: readonly AttentionShape[] = fullAndCausal(4096);

/** Calls so small that what surrounds the arithmetic counts. */
export const SMALL_CALLS: readonly AttentionShape[] = [
  attention("1×16×64 full", 1, 1, 16, 64, false),
  attention("1×32×64 full", 1, 1, 32, 64, false),
  attention("12×32×64 full", 12, 12, 32, 64, false),
];

/** Pairs of a query and a key that it sees, over all heads. */
export function visiblePairs({ numHeads, seqLen, causal }: AttentionShape): number {
  return numHeads * (causal ? (seqLen * (seqLen + 1)) / 2 : seqLen * seqLen);
}

/** Floating-point operations that the result needs: a product and a sum per channel in q·k and in p·v. */
export const flopsOf = (shape: AttentionShape): number => 4 * visiblePairs(shape) * shape.headDim;
