/** Scaled frequencies of rotary embeddings in float64, by their definitions. */

/** The scaling of `Engine.rotary`, by our names, with the same meanings and defaults. Nothing is checked. */
export interface ReferenceScaling {
  type: "default" | "linear" | "dynamic" | "yarn" | "llama3" | "longrope";
  factor?: number | undefined;
  length?: number | undefined;
  maxPositionEmbeddings?: number | undefined;
  originalMaxPositionEmbeddings?: number | undefined;
  attentionFactor?: number | undefined;
  betaFast?: number | undefined;
  betaSlow?: number | undefined;
  mscale?: number | undefined;
  mscaleAllDim?: number | undefined;
  truncate?: boolean | undefined;
  lowFreqFactor?: number | undefined;
  highFreqFactor?: number | undefined;
  shortFactor?: ArrayLike<number> | undefined;
  longFactor?: ArrayLike<number> | undefined;
}

/**
 * The frequency of each pair of channels, by which θ = position · frequency, and the factor on cosines and sines.
 *
 * - linear: Chen et al. 2023, arXiv:2306.15595; dynamic: NTK-aware scaling, Peng et al. 2023, arXiv:2309.00071, section 3
 * - yarn: Peng et al. 2023, arXiv:2309.00071; llama3: Grattafiori et al. 2024, arXiv:2407.21783
 * - longrope: Ding et al. 2024, arXiv:2402.13753
 *
 * @example
 * import { rotaryFrequencies } from "headwise/reference";
 *
 * console.log(rotaryFrequencies(4, 10000, { type: "linear", factor: 2 }).frequencies); // [ 0.5, 0.005 ]
 */
export function rotaryFrequencies(
  rotaryDim: number,
  base: number,
  scaling: ReferenceScaling = { type: "default" },
): { frequencies: number[]; attentionFactor: number } {
  const { type, maxPositionEmbeddings: longest = NaN, originalMaxPositionEmbeddings: original = NaN } = scaling;
  const { factor = longest / original, length = NaN, lowFreqFactor = NaN, highFreqFactor = NaN } = scaling;
  const pairs = Array.from({ length: rotaryDim / 2 }, (_, pair) => pair);
  const frequencies = pairs.map((pair) => base ** ((-2 * pair) / rotaryDim));
  const blend = (frequency: number, unchanged: number): number => {
    const share = Math.min(1, Math.max(0, unchanged));
    return (1 - share) * (frequency / factor) + share * frequency;
  };
  switch (type) {
    case "default":
      return { frequencies, attentionFactor: 1 };
    case "linear":
      return { frequencies: frequencies.map((frequency) => frequency / factor), attentionFactor: 1 };
    case "dynamic": {
      const ratio = (factor * Math.max(length, longest)) / longest - (factor - 1);
      const larger = base * ratio ** (rotaryDim / (rotaryDim - 2));
      return { frequencies: pairs.map((pair) => larger ** ((-2 * pair) / rotaryDim)), attentionFactor: 1 };
    }
    case "yarn": {
      const { betaFast = 32, betaSlow = 1, truncate = true, mscale, mscaleAllDim } = scaling;
      // the pair with a wavelength of original / turns positions: 2π base^(2 pair / rotaryDim) = original / turns
      const pairOf = (turns: number): number => (rotaryDim * Math.log(original / (2 * Math.PI * turns))) / (2 * Math.log(base));
      const low = Math.max(0, truncate ? Math.floor(pairOf(betaFast)) : pairOf(betaFast));
      let high = Math.min(rotaryDim - 1, truncate ? Math.ceil(pairOf(betaSlow)) : pairOf(betaSlow));
      if (high === low) high += 0.001;
      const grown = (by: number): number => 0.1 * by * Math.log(factor) + 1;
      const ofScales = mscale && mscaleAllDim ? grown(mscale) / grown(mscaleAllDim) : grown(1);
      return {
        frequencies: frequencies.map((frequency, pair) => blend(frequency, 1 - (pair - low) / (high - low))),
        attentionFactor: scaling.attentionFactor ?? ofScales,
      };
    }
    case "llama3": {
      const unchanged = (wavelength: number): number => (original / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
      return {
        frequencies: frequencies.map((frequency) => blend(frequency, unchanged((2 * Math.PI) / frequency))),
        attentionFactor: 1,
      };
    }
    case "longrope": {
      const divisors = length > original ? scaling.longFactor! : scaling.shortFactor!;
      return {
        frequencies: frequencies.map((frequency, pair) => frequency / divisors[pair]!),
        attentionFactor: scaling.attentionFactor ?? Math.sqrt(1 + Math.log(factor) / Math.log(original)),
      };
    }
  }
}
