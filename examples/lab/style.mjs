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

/** What texts have in common, on a group around them; textAt states what differs. */
export const TEXT = `text-anchor="middle" dominant-baseline="central" font-family="sans-serif" font-size="13" fill="${COLOURS.text}"`;

/** A text whose middle is at y. @param attributes  such as { "font-size": 15 } */
export function textAt(x, y, content, attributes = {}) {
  const differing = Object.entries(attributes).map(([name, value]) => ` ${name}="${value}"`);
  return `<text x="${x}" y="${y}"${differing.join("")}>${escaped(content)}</text>`;
}
