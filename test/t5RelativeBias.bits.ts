/** The relative bias of T5. */
import { t5RelativeBias } from "headwise";
import { type BitsCase, casesOf } from "./bits/case.js";

const bias = casesOf("t5RelativeBias", "t5RelativeBias");

export default [
  bias("both ways and one way", (_, inputs) => {
    const embedding = inputs.numbers([32, 3]);
    const maxDistance = inputs.integer(100, 300);
    return {
      bothWays: t5RelativeBias(embedding, { length: 320, maxDistance }).data,
      oneWay: t5RelativeBias(embedding, { length: 320, maxDistance, bidirectional: false }).data,
    };
  }),
] satisfies readonly BitsCase[];
