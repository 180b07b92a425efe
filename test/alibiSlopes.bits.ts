/** Slopes of ALiBi. */
import { alibiSlopes } from "headwise";
import { type BitsCase, casesOf } from "./bits/case.js";

const slopes = casesOf("alibiSlopes", "alibiSlopes");

export default [
  slopes("64 heads, and a number that is no power of two", (_, inputs) => ({
    power: alibiSlopes(64).data,
    other: alibiSlopes(inputs.integer(65, 127)).data,
  })),
] satisfies readonly BitsCase[];
