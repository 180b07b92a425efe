/** Weights as a picture: one pixel a weight, which the style sheet enlarges. */

/** From no weight to all of it, as [red, green, blue]. */
const COLOURS = [
  [247, 248, 252],
  [199, 210, 243],
  [122, 148, 226],
  [67, 84, 190],
  [40, 31, 112],
  [20, 12, 58],
];

/** The colour of a weight; small weights are easier to tell apart than large ones. */
export function colourOf(weight) {
  const position = Math.sqrt(Math.min(1, Math.max(0, weight))) * (COLOURS.length - 1);
  const index = Math.min(COLOURS.length - 2, Math.floor(position));
  return COLOURS[index].map((from, channel) => Math.round(from + (position - index) * (COLOURS[index + 1][channel] - from)));
}

/** Draws size × size weights; −1, for a key that the row cannot see, stays empty. */
export function drawHeatmap(canvas, weights, size) {
  canvas.width = canvas.height = size;
  if (size === 0) return;
  const image = new ImageData(size, size);
  for (const [index, weight] of weights.entries()) {
    if (weight < 0) continue;
    image.data.set([...colourOf(weight), 255], 4 * index);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
