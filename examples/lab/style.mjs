/** Colours of pictures on light and dark pages, and what SVGs need. */

export const COLOURS = {
  ground: "#ffffff",
  text: "#0f172a",
  aside: "#64748b",
  grid: "#dbdee4",
  headwise: "#b45309",
  others: "#94a3b8",
  /** Text on a cell that is filled with headwise's colour. */
  onHeadwise: "#fffffe",
};

/** The same where the reader prefers dark pages. */
const DARK = {
  ground: "#0d1117",
  text: "#e6edf3",
  aside: "#9198a1",
  grid: "#30363d",
  headwise: "#f0a132",
  others: "#8391a5",
  onHeadwise: "#0d1117",
};

/** Of numbers below 0, and its dark counterpart. */
export const NEGATIVE = "#1d4ed8";
const DARK_NEGATIVE = "#6ea8fe";

const ruleOf = (colour, dark) => `[fill="${colour}"] { fill: ${dark} } [stroke="${colour}"] { stroke: ${dark} }`;

/** Replaces each colour by its dark counterpart; an image in a page follows the page's colour scheme. */
const darkStyle = (rules) => `<style>\n@media (prefers-color-scheme: dark) {\n${rules.join("\n")}\n}\n</style>`;
const RULES = Object.entries(COLOURS).map(([name, colour]) => ruleOf(colour, DARK[name]));

/** Puts the dark colours into an SVG. */
export function withDarkStyle(svg) {
  const rules = svg.includes(NEGATIVE) ? [...RULES, ruleOf(NEGATIVE, DARK_NEGATIVE)] : RULES;
  return svg.replace(/^(<svg [^>]*>)\s*/, `$1\n${darkStyle(rules)}\n`);
}

/** Escapes a text for an SVG. */
export const escaped = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** A text whose middle is at y. */
export const textAt = (x, y, content, { size = 13, anchor = "middle", fill = COLOURS.text, weight = "normal" } = {}) =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" dominant-baseline="central" font-family="sans-serif" font-size="${size}" ` +
  `font-weight="${weight}" fill="${fill}">${escaped(content)}</text>`;
