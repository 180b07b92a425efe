/** The options of attention with other scores: all but those that add a product. */
import { ATTENTION_NAMES } from "../attention/foreignNames.js";
import { ATTENTION_OPTIONS, ATTENTION_PLACES, type AttentionOptions } from "../attention/options.js";
import type { Operation } from "../call/operation.js";
import type { Float32Tensor, PlaceTensor } from "../call/tensor.js";

const PRODUCT_OPTIONS = ["relativeKeys", "contentBias", "positionBias"] as const;

/** Options of attention with additive, bilinear and cosine scores: those of scaledDotProductAttention, with scale 1 as the default. */
export type ScoreOptions<Out extends PlaceTensor = Float32Tensor> = Omit<AttentionOptions<Out>, (typeof PRODUCT_OPTIONS)[number]>;

/** An operation of attention with another score. */
export const scoreOperation = (name: string): Operation => ({
  name,
  options: ATTENTION_OPTIONS.filter((option) => !(PRODUCT_OPTIONS as readonly string[]).includes(option)),
  foreign: ATTENTION_NAMES,
  places: ATTENTION_PLACES,
});
