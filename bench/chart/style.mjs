/** What the charts have in common; their colours are those of the pictures in examples/lab. */
import { COLOURS, escaped, withDarkStyle } from "../../examples/lab/style.mjs";

export { COLOURS, escaped, withDarkStyle };

export const significant = (value) => String(Number(value.toPrecision(3)));

/** Drops what only a page needs: hover styles, and names that contain a counter of the process. */
export const asImage = (svg) =>
  withDarkStyle(
    svg
      .replace(/<style[^]*?<\/style>\s*/, "")
      .replace(/ (class|ecmeta_\w+|pointer-events)="[^"]*"/g, "")
      .replace(/\bzr\d+-/g, ""),
  );
