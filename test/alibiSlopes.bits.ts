/** Slopes of ALiBi. */
import { alibiSlopes } from "headwise";
import { type BitsCase, casesOf } from "./bits/case.js";

const slopes = casesOf("alibiSlopes", "alibiSlopes");

export default [
  slopes("any number of heads", (_, inputs) => ({ slopes: alibiSlopes(inputs.integer(65, 4000)).data })),
] satisfies readonly BitsCase[];
