/**
 * Attention is a dictionary that answers every question: a query like one key returns its value, a query between keys a mixture.
 * With orthonormal keys and a large scale it is an exact lookup. Graves, Wayne & Danihelka 2014, arXiv:1410.5401, section 3.3.
 */
import { createEngine } from "headwise";
import { heatmap } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { format, fromRows, toRows, zeros } from "./tensors.mjs";

const NAMES = ["apple", "pear", "plum"];
const keys = fromRows([[1, 0, 0], [0, 1, 0], [0, 0, 1]]); // prettier-ignore
const prices = fromRows([[10], [20], [40]]);
const QUESTIONS = ["pear", "apple or plum", "anything"];
const queries = fromRows([[0, 1, 0], [1, 0, 1], [0, 0, 0]]); // prettier-ignore

await runLab("soft-dictionary", async () => {
  const engine = await createEngine();
  const weights = zeros(3, 3);
  for (const scale of [1, 4, 1000]) {
    const answers = engine.scaledDotProductAttention(queries, keys, prices, { scale, weights });
    for (const [row, question] of QUESTIONS.entries()) {
      console.log(`scale ${scale}, ${question}: ${answers.data[row].toFixed(4)}, weights ${format(toRows(weights)[row])}`);
    }
  }
  engine.dispose();
  return heatmap(toRows(weights), {
    rows: QUESTIONS,
    columns: NAMES,
    title: "Scale 1000: a lookup, and what has no single answer",
  });
});
