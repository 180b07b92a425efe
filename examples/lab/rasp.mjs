/**
 * Programs made of masks alone: RASP's `select` is a mask, its `aggregate` attention with scores of 0, and its `selector_width` the
 * number of visible keys, exp(logSumExp). With these: reverse, histogram, sort. Weiss, Goldberg & Yahav 2021, arXiv:2106.06981.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { zeros } from "./tensors.mjs";

const TEXT = "attention";

/** Which keys each query selects, as a mask [queries, keys]. */
const select = (keys, queries, predicate) => ({
  data: Uint8Array.from(queries.flatMap((query) => keys.map((key) => Number(predicate(key, query))))),
  dims: [queries.length, keys.length],
});

await runLab("rasp", async () => {
  const engine = await createEngine();
  const column = (numbers) => ({ data: Float32Array.from(numbers), dims: [numbers.length, 1] });

  /** The mean of the numbers that each row selects. */
  const aggregate = (mask, numbers) => {
    const same = zeros(numbers.length, 1);
    return [...engine.scaledDotProductAttention(same, same, column(numbers), { mask }).data];
  };
  /** How many keys each row selects. */
  const selectorWidth = (mask) => {
    const count = mask.dims[0];
    const logSumExp = zeros(count);
    engine.scaledDotProductAttention(zeros(count, 1), zeros(count, 1), zeros(count, 1), { mask, logSumExp });
    return Array.from(logSumExp.data, (width) => Math.round(Math.exp(width)));
  };

  const tokens = [...TEXT].map((letter) => letter.codePointAt(0));
  const indices = [...tokens.keys()];
  const textOf = (numbers) => String.fromCodePoint(...numbers.map((number) => Math.round(number)));

  const opposite = indices.map((index) => tokens.length - 1 - index);
  const reverse = select(indices, opposite, (key, query) => key === query);
  console.log(`reverse("${TEXT}"): ${textOf(aggregate(reverse, tokens))}`);

  const same = select(tokens, tokens, (key, query) => key === query);
  console.log(`histogram("${TEXT}"): ${selectorWidth(same).join(" ")}`);

  const pairs = indices.map((index) => [tokens[index], index]);
  const smaller = select(pairs, pairs, ([token, at], [own, ownAt]) => token < own || (token === own && at < ownAt));
  const places = selectorWidth(smaller);
  const sort = select(places, indices, (place, index) => place === index);
  console.log(`places: ${places.join(" ")}`);
  console.log(`sort("${TEXT}"): ${textOf(aggregate(sort, tokens))}`);

  const asRows = ({ data, dims: [rows, columns] }) =>
    Array.from({ length: rows }, (_, row) => [...data.subarray(row * columns, (row + 1) * columns)]);
  const letters = [...TEXT];
  engine.dispose();
  return heatmaps(
    [
      { matrix: asRows(reverse), columns: letters, title: "reverse" },
      { matrix: asRows(same), rows: letters, columns: letters, title: "histogram: counts of rows" },
      { matrix: asRows(sort), columns: letters, title: "sort" },
    ],
    { title: `Masks that reverse, count and sort “${TEXT}”` },
  );
});
