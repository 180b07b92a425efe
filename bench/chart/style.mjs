/** What the charts have in common. */

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

/** Replaces each colour by its dark counterpart; an image in a page follows the page's colour scheme. */
const DARK_STYLE = `<style>
@media (prefers-color-scheme: dark) {
${Object.entries(COLOURS)
  .map(([name, colour]) => `[fill="${colour}"] { fill: ${DARK[name]} } [stroke="${colour}"] { stroke: ${DARK[name]} }`)
  .join("\n")}
}
</style>`;

export const significant = (value) => String(Number(value.toPrecision(3)));

/** Escapes a text for an SVG. */
export const escaped = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** Puts the dark colours into an SVG. */
export const withDarkStyle = (svg) => svg.replace(/^(<svg [^>]*>)\s*/, `$1\n${DARK_STYLE}\n`);

/** Drops what only a page needs: hover styles, and names that contain a counter of the process. */
export const asImage = (svg) =>
  withDarkStyle(
    svg
      .replace(/<style[^]*?<\/style>\s*/, "")
      .replace(/ (class|ecmeta_\w+|pointer-events)="[^"]*"/g, "")
      .replace(/\bzr\d+-/g, ""),
  );
