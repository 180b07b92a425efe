/** What the charts have in common. */

export const COLOURS = { headwise: "#b45309", others: "#94a3b8", cut: "#cbd5e1", text: "#0f172a", aside: "#64748b" };

export const significant = (value) => String(Number(value.toPrecision(3)));

/** Without what only a page would need, styles under a pointer and names that hold a counter of the process. */
export const asImage = (svg) =>
  svg
    .replace(/<style[^]*<\/style>\s*/, "")
    .replace(/ (class|ecmeta_\w+|pointer-events)="[^"]*"/g, "")
    .replace(/\bzr\d+-/g, "");
