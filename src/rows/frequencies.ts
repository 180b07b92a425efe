/**
 * The frequencies of rotary embeddings: those of a base, scaled. Logarithms and powers are the kernels', and everything else rounds as
 * IEEE 754 says, so that they have the same bits on every host. Formulas and names: docs/semantics.md.
 */
import { wholeLines } from "../runtime/arena.js";
import type { Kernels } from "../runtime/kernels.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Rotary } from "./rotaryConfig.js";
import type { ReadScaling } from "./rotaryScaling.js";

/** Bytes of the frequencies, with the factor on cosines and sines behind them. */
export const frequencyBytes = (rotaryDim: number): number => wholeLines(4 * rotaryDim + 8);

/** Writes the frequencies f64[rotaryDim / 2], then the factor on cosines and sines. */
export function writeFrequencies(
  { kernels, memory }: Runtime,
  { rotaryDim, base, scaling }: Pick<Rotary, "rotaryDim" | "base" | "scaling">,
  ptr: number,
): void {
  kernels.rotaryFrequencies(ptr, rotaryDim, base);
  const pairs = rotaryDim / 2;
  const numbers = new Float64Array(memory.buffer, ptr, pairs + 1);
  numbers[pairs] = scaling ? attentionFactorOf(kernels, scaling) : 1;
  if (!scaling) return;
  const scale = scaleOf(kernels, scaling, base, rotaryDim);
  for (let pair = 0; pair < pairs; pair++) numbers[pair] = scale(numbers[pair]!, pair);
}

/** ln x for x > 0. */
const logarithm = (kernels: Kernels, x: number): number => (x < 1 ? -kernels.rotaryLogarithm(1 / x) : kernels.rotaryLogarithm(x));

/** What becomes of the frequency of a pair. */
type Scale = (frequency: number, pair: number) => number;

/** Part `share` of each frequency stays, the rest is divided by the factor. */
const blend =
  (factor: number, shareOf: Scale): Scale =>
  (frequency, pair) => {
    const share = Math.min(1, Math.max(0, shareOf(frequency, pair)));
    return share === 1 ? frequency : (1 - share) * (frequency / factor) + share * frequency;
  };

function scaleOf(kernels: Kernels, scaling: ReadScaling, base: number, rotaryDim: number): Scale {
  switch (scaling.type) {
    case "linear":
      return (frequency) => frequency / scaling.factor;
    case "dynamic": {
      // a larger base: base · ratio^(rotaryDim / (rotaryDim − 2))
      const { factor, maxPositionEmbeddings, length } = scaling;
      const ratio = (factor * Math.max(length, maxPositionEmbeddings)) / maxPositionEmbeddings - (factor - 1);
      const log = logarithm(kernels, ratio);
      const last = rotaryDim / 2 - 1;
      return (frequency, pair) => (pair === 0 ? frequency : frequency * kernels.rotaryExponential((-pair / last) * log));
    }
    case "yarn": {
      const [low, high] = yarnRamp(kernels, scaling, base, rotaryDim);
      return blend(scaling.factor, (_, pair) => 1 - (pair - low) / (high - low));
    }
    case "llama3": {
      const { factor, originalMaxPositionEmbeddings, lowFreqFactor, highFreqFactor } = scaling;
      const turns = (frequency: number): number => (originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
      return blend(factor, (frequency) => (turns(frequency) - lowFreqFactor) / (highFreqFactor - lowFreqFactor));
    }
    case "longrope": {
      const { length, originalMaxPositionEmbeddings, shortFactor, longFactor } = scaling;
      const divisors = length > originalMaxPositionEmbeddings ? longFactor : shortFactor;
      return (frequency, pair) => frequency / divisors[pair]!;
    }
  }
}

/** The pairs between which YaRN goes over from unchanged to divided frequencies. */
function yarnRamp(
  kernels: Kernels,
  { betaFast, betaSlow, originalMaxPositionEmbeddings, truncate }: ReadScaling & { type: "yarn" },
  base: number,
  rotaryDim: number,
): [number, number] {
  /** The pair, not a whole number, that rotates so often within the longest sequence of training. */
  const pairOf = (turns: number): number =>
    (rotaryDim * logarithm(kernels, originalMaxPositionEmbeddings / (turns * 2 * Math.PI))) / (2 * logarithm(kernels, base));
  const [low, high] = [pairOf(betaFast), pairOf(betaSlow)];
  const from = Math.max(truncate ? Math.floor(low) : low, 0);
  const to = Math.min(truncate ? Math.ceil(high) : high, rotaryDim - 1);
  return from === to ? [from, to + 0.001] : [from, to];
}

function attentionFactorOf(kernels: Kernels, scaling: ReadScaling): number {
  if (scaling.type !== "yarn" && scaling.type !== "longrope") return 1;
  if (scaling.attentionFactor !== undefined) return scaling.attentionFactor;
  if (scaling.type === "longrope") {
    const { factor, originalMaxPositionEmbeddings } = scaling;
    return Math.sqrt(1 + logarithm(kernels, factor!) / logarithm(kernels, originalMaxPositionEmbeddings));
  }
  const { factor, mscale, mscaleAllDim } = scaling;
  const grown = (by: number): number => 0.1 * by * logarithm(kernels, factor) + 1;
  return mscale === undefined ? grown(1) : grown(mscale) / grown(mscaleAllDim!);
}
