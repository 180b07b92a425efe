/** Masks as tensors, with random sizes and lengths, which are their only inputs. */
import { andMasks, applyMask, causalMask, documentMask, notMask, orMasks, paddingMask, prefixMask, windowMask } from "headwise";
import { type BitsCase, casesOf } from "./bits/case.js";

const masks = (name: string, run: BitsCase["run"]): BitsCase => casesOf("masks", name)(name, run);

export default [
  masks("causalMask", (_, inputs) => ({
    square: causalMask(inputs.integer(10, 200)).data,
    offset: causalMask(60, 70, { queryOffset: inputs.integer(-50, 60) }).data,
  })),
  masks("windowMask", (_, inputs) => ({
    sides: windowMask(40, 90, [inputs.integer(0, 30), inputs.integer(0, 30)], { sinkTokens: inputs.integer(0, 9) }).data,
    one: windowMask(40, 90, inputs.integer(0, 39), { queryOffset: inputs.integer(-10, 50) }).data,
  })),
  masks("paddingMask", (_, inputs) => ({ mask: paddingMask(inputs.integers(8, 0, 77), 77).data })),
  masks("prefixMask", (_, inputs) => ({
    all: prefixMask(inputs.integer(0, 99), 50, 99, { queryOffset: inputs.integer(-40, 40) }).data,
    each: prefixMask(inputs.integers(4, 0, 30), 30).data,
  })),
  masks("documentMask", (_, inputs) => ({
    one: documentMask(inputs.integers(50, 0, 3)).data,
    batch: documentMask([inputs.integers(20, 0, 2), inputs.integers(20, 0, 2)]).data,
  })),
  masks("andMasks", (_, inputs) => ({
    mask: andMasks(inputs.mask([5, 1, 9], 0.7), inputs.mask([8, 9], 0.7), inputs.mask([1], 1)).data,
  })),
  masks("orMasks", (_, inputs) => ({ mask: orMasks(inputs.mask([5, 1, 9], 0.4), inputs.mask([8, 9], 0.4)).data })),
  masks("notMask", (_, inputs) => ({ mask: notMask(inputs.mask([7, 31], 0.5)).data })),
  masks("applyMask", (_, inputs) => ({ scores: applyMask(inputs.extremes([3, 20, 9], 9), inputs.mask([20, 9], 0.5)).data })),
] satisfies readonly BitsCase[];
