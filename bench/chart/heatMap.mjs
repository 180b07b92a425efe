/** Attention weights of a sentence as two heat maps: full attention and causal. */
import { COLOURS, escaped, withDarkStyle } from "./style.mjs";

/** Pixels. */
const WIDTH = 800;
const CELL = 48;
const GRID_TOP = 112;
const GRID_LEFT = [84, 484];

const PANELS = [
  { name: "full", title: "full: every token sees all six" },
  { name: "causal", title: "causal: it sees itself and earlier ones" },
];

/** Opacity of the darkest cell. */
const DARKEST = 0.9;

const text = (x, y, content, { size = 13, anchor = "middle", fill = COLOURS.text, weight = "normal" } = {}) =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" dominant-baseline="central" font-family="sans-serif" font-size="${size}" ` +
  `font-weight="${weight}" fill="${fill}">${escaped(content)}</text>`;

/** @throws {TypeError} the document does not hold tokens and a square of weights for each panel */
function check(document) {
  const size = document?.tokens?.length;
  const isSquare = (rows) => Array.isArray(rows) && rows.length === size && rows.every((row) => row.length === size);
  if (!(size > 0) || !PANELS.every(({ name }) => isSquare(document.weights?.[name])))
    throw new TypeError("not a document of { tokens, weights: { full, causal } }");
}

function panelOf({ tokens, weights }, { name, title }, left) {
  const rows = weights[name];
  const seen = rows.flatMap((row, i) => row.filter((_, j) => name === "full" || j <= i));
  const [least, most] = [Math.min(...seen), Math.max(...seen)];
  const lines = [text(left, GRID_TOP - 44, title, { size: 14, anchor: "start", weight: "bold" })];
  for (const [i, token] of tokens.entries()) {
    const centre = GRID_TOP + i * CELL + CELL / 2;
    lines.push(text(left - 8, centre, token, { anchor: "end" }));
    lines.push(text(left + i * CELL + CELL / 2, GRID_TOP - 14, token));
    for (const [j, weight] of rows[i].entries()) {
      const x = left + j * CELL;
      const isHidden = name === "causal" && j > i;
      const opacity = isHidden ? 0 : 0.08 + ((DARKEST - 0.08) * (weight - least)) / (most - least);
      lines.push(
        `<rect x="${x}" y="${GRID_TOP + i * CELL}" width="${CELL}" height="${CELL}" fill="${COLOURS.headwise}" ` +
          `fill-opacity="${opacity.toFixed(3)}" stroke="${COLOURS.grid}"></rect>`,
      );
      if (isHidden) continue;
      const fill = opacity > 0.7 ? COLOURS.onHeadwise : COLOURS.text;
      lines.push(text(x + CELL / 2, centre, weight.toFixed(3), { size: 12, fill }));
    }
  }
  return lines;
}

/**
 * SVG of the weights. The same document gives the same bytes.
 *
 * @throws {TypeError} the document is of another kind
 */
export function drawHeatMap(document) {
  check(document);
  const height = GRID_TOP + document.tokens.length * CELL + 20;
  return withDarkStyle(
    [
      `<svg width="${WIDTH}" height="${height}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}">`,
      `<rect width="${WIDTH}" height="${height}" x="0" y="0" fill="${COLOURS.ground}"></rect>`,
      text(16, 24, "Attention weights: how much the token of a row attends to the token of a column", {
        size: 16,
        anchor: "start",
        weight: "bold",
      }),
      text(16, 46, "The sentence of npm start; each row sums to 1, a stronger colour is a larger weight", {
        size: 12,
        anchor: "start",
        fill: COLOURS.aside,
      }),
      ...PANELS.flatMap((panel, index) => panelOf(document, panel, GRID_LEFT[index])),
      "</svg>",
    ].join("\n"),
  );
}
