/** Every case; `test/bits.node.test.ts` requires one for each public operation. */
import type { BitsCase } from "../case.js";
import { attentionCases } from "./attention.js";
import { cacheCases } from "./cache.js";
import { layerCases } from "./layer.js";
import { linearCases } from "./linear.js";
import { maskCases } from "./masks.js";
import { matmulCases } from "./matmul.js";
import { rowCases } from "./rows.js";

export const CASES: readonly BitsCase[] = [
  ...attentionCases,
  ...cacheCases,
  ...matmulCases,
  ...rowCases,
  ...linearCases,
  ...layerCases,
  ...maskCases,
];
