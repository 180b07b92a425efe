/**
 * Who gave roses to whom? One head that looks at giver and receiver mixes the two: swapping Susan and Mary changes nothing. Two heads
 * keep them apart. Bloem 2019, "Transformers from scratch"; Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
 */
import { createEngine } from "headwise";
import { links } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { format, fromRows, toRows, zeros } from "./tensors.mjs";

const WORDS = ["Susan", "gave", "roses", "to", "Mary"];
const SWAPPED = ["Mary", "gave", "roses", "to", "Susan"];
const SIZE = WORDS.length;
const [GAVE, GIVER, RECEIVER] = [1, 0, 4];
const SURE = 60; // a score that leaves nothing to other keys

/** A row for each word: which word it is, then which place it has. */
const embed = (words) => {
  const rows = words.map((word, place) => [
    ...WORDS.map((other) => Number(other === word)),
    ...WORDS.map((_, index) => Number(index === place)),
  ]);
  return { data: fromRows(rows).data, dims: [1, SIZE, 2 * SIZE] };
};

/** A layer whose head h looks, from "gave", at `places[h]`: the query is made of the word, the key of the place, the value of the word. */
function layerOf(engine, places) {
  const rows = places.length * SIZE;
  const [q, k, v] = [zeros(rows, 2 * SIZE), zeros(rows, 2 * SIZE), zeros(rows, 2 * SIZE)];
  const at = (row, column) => row * 2 * SIZE + column;
  for (const [head, seen] of places.entries()) {
    for (const place of seen) q.data[at(head * SIZE + place, GAVE)] = SURE * Math.sqrt(SIZE);
    for (let index = 0; index < SIZE; index++) {
      k.data[at(head * SIZE + index, SIZE + index)] = 1;
      v.data[at(head * SIZE + index, index)] = 1;
    }
  }
  const out = zeros(rows, rows);
  for (let row = 0; row < rows; row++) out.data[row * rows + row] = 1;
  const config = { embedDim: 2 * SIZE, numHeads: places.length, headDim: SIZE, outDim: rows };
  return engine.createMultiHeadAttention(config, { q, k, v, out });
}

await runLab("two-heads", async () => {
  const engine = await createEngine();
  const panels = [];
  const layers = { "one head": [[GIVER, RECEIVER]], "two heads": [[GIVER], [RECEIVER]] };
  for (const [name, places] of Object.entries(layers)) {
    const layer = layerOf(engine, places);
    const weights = zeros(1, places.length, SIZE, SIZE);
    const gave = (words) => toRows(layer.forward(embed(words), { weights }))[GAVE];
    const [swapped, told] = [gave(SWAPPED), gave(WORDS)];
    console.log(`${name}, "${WORDS.join(" ")}": ${format(told, 2)}`);
    console.log(`${name}, "${SWAPPED.join(" ")}": ${format(swapped, 2)}`);
    console.log(`${name} can tell them apart: ${told.some((value, index) => Math.abs(value - swapped[index]) > 0.01)}`);
    for (const [head, seen] of places.entries()) {
      const row = toRows(weights)[head * SIZE + GAVE];
      const only = WORDS.map((_, index) => (index === GAVE ? row : row.map(() => 0)));
      const title = seen.length === 2 ? "One head: both at once" : head === 0 ? "First of two: the giver" : "Second: the receiver";
      panels.push({ weights: only, from: WORDS, to: WORDS, title });
    }
  }
  engine.dispose();
  return links(panels, { title: "Where “gave” looks" });
});
