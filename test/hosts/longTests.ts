/**
 * Long tests of arithmetic, most of the suite's time. In Firefox and WebKitGTK only a share of them runs where `npm test -- --share` names
 * one. Chromium always runs the whole suite, and `npm run bits` compares every operation in all three.
 */
import { readShare } from "../../scripts/share.mjs";

/** By name of the file. The longest come first, so that eight shares take about the same time. */
// prettier-ignore
export const LONG_TESTS: readonly string[] = [
  "cacheWalk", "properties", "parity", "linearAttention", "maskOptions", "float16", "int8", "linearForms",
  "activate", "softmax", "sequences", "extremes", "linearConformance", "kvCache", "matmul", "linearState",
  "multiHeadProperties", "multiHeadAttention",
];

/** Those that do not run in Firefox and WebKitGTK now. */
export function leftOut(): readonly string[] {
  const isInShare = readShare(process.env["HEADWISE_SHARE"] ?? "1/1")!;
  return LONG_TESTS.filter((_, index) => !isInShare(index));
}
