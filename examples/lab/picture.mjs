/** Pictures of matrices and of attention weights, as SVGs for light and dark pages, and as blocks for a terminal. */
import { COLOURS, NEGATIVE, TEXT, textAt, withDarkStyle } from "./style.mjs";

/** Pixels. */
const MARGIN = 16;
const GAP = 40;
const WIDTH = 1000;
const LETTER = 7.5; // an average letter of 13 pixels
const LINK_HEIGHT = 140;

const HEADING = { "text-anchor": "start", "font-weight": "bold" };
const SHADES = [..." ░▒▓█"];
/** The strongest fill of a cell. */
const DARKEST = 0.9;
const LEVELS = 30;

const round = (value) => Number(value.toFixed(2));
const widthOf = (texts, size = 13) => Math.max(0, ...texts.map((text) => (text.length * LETTER * size) / 13));

/** An SVG of panels side by side, in lines of at most WIDTH, below a title; each { parts, width, height } with its corner at 0, 0. */
function inRow(panels, title) {
  let [left, top, lineHeight, right] = [MARGIN, title === undefined ? MARGIN : MARGIN + 32, 0, 0];
  const parts = title === undefined ? [] : [textAt(MARGIN, MARGIN + 8, title, { ...HEADING, "font-size": 15 })];
  for (const panel of panels) {
    if (left > MARGIN && left + panel.width > WIDTH) [left, top, lineHeight] = [MARGIN, top + lineHeight + GAP / 2, 0];
    parts.push(`<g transform="translate(${round(left)} ${round(top)})">`, ...panel.parts, "</g>");
    left += panel.width + GAP;
    [lineHeight, right] = [Math.max(lineHeight, panel.height), Math.max(right, left - GAP)];
  }
  const height = Math.ceil(top + lineHeight + MARGIN);
  const width = Math.ceil(Math.max(right, widthOf([title ?? ""], 15) + MARGIN) + MARGIN);
  return withDarkStyle(
    [
      `<svg width="${width}" height="${height}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">`,
      `<rect width="${width}" height="${height}" x="0" y="0" fill="${COLOURS.ground}"></rect>`,
      `<g ${TEXT}>`,
      ...parts,
      "</g>",
      "</svg>\n",
    ].join("\n"),
  );
}

/**
 * Matrices side by side: a stronger colour is a number farther from 0, another hue one below 0. NaN and −∞ leave a cell empty.
 *
 * @param panels   { matrix: rows of numbers, rows?, columns?: their labels, title?, digits?: decimals shown, default 2 if cells are few,
 *                 palest?: the number without colour, default 0 }
 * @param options  { title? } above all of them
 */
export const heatmaps = (panels, { title } = {}) => inRow(panels.map(heatPanel), title);

/** A single matrix. */
export const heatmap = (matrix, { title, ...labels } = {}) => heatmaps([{ matrix, ...labels }], { title });

function heatPanel({ matrix, rows = [], columns = [], title, digits, palest = 0 }) {
  const longest = Math.max(matrix.length, matrix[0].length);
  const showsNumbers = digits !== undefined || longest <= 8;
  const cell = showsNumbers ? 46 : Math.max(4, Math.min(24, Math.floor(420 / longest)));
  const left = rows.length > 0 ? widthOf(rows) + 8 : 0;
  const slanted = widthOf(columns) > cell - 4;
  const labelHeight = columns.length === 0 ? 0 : slanted ? widthOf(columns) * 0.72 + 14 : 22;
  const top = (title === undefined ? 0 : 26) + labelHeight;
  const width = left + matrix[0].length * cell;
  const parts = title === undefined ? [] : [textAt(0, 8, title, HEADING)];

  for (const [j, label] of columns.entries()) {
    const [x, y] = [round(left + (j + 0.5) * cell), round(top - 12)];
    if (slanted)
      parts.push(`<g transform="translate(${x} ${y}) rotate(-45)">${textAt(0, 0, label, { "text-anchor": "start" })}</g>`);
    else parts.push(textAt(x, y, label));
  }
  for (const [i, label] of rows.entries())
    parts.push(textAt(round(left - 8), round(top + (i + 0.5) * cell), label, { "text-anchor": "end" }));
  const shifted = matrix.map((row) => row.map((value) => value - palest));
  const corner = { x: round(left), y: round(top) };
  parts.push(...cellsOf(shifted, cell, corner));
  if (showsNumbers) parts.push(...numbersOf(matrix, shifted, cell, corner, digits ?? 2));
  return { parts, width: Math.max(width, widthOf([title ?? ""])) + (slanted ? 24 : 0), height: top + matrix.length * cell };
}

const strengthOf = (value, largest) => (Number.isFinite(value) ? Math.abs(value) / largest : 0);
const largestOf = (matrix) => Math.max(...matrix.flat().map((value) => strengthOf(value, 1))) || 1;

/** The cells, those of one colour as one path, and the lines between them where cells are large enough. */
function cellsOf(matrix, size, { x, y }) {
  const largest = largestOf(matrix);
  const paths = new Map();
  for (const [i, row] of matrix.entries()) {
    for (const [j, value] of row.entries()) {
      const opacity = round((DARKEST * Math.round(LEVELS * strengthOf(value, largest))) / LEVELS);
      if (opacity === 0) continue;
      const fill = `fill="${value < 0 ? NEGATIVE : COLOURS.headwise}" fill-opacity="${opacity}"`;
      paths.set(fill, `${paths.get(fill) ?? ""}M${round(x + j * size)} ${y + i * size}h${size}v${size}h-${size}z`);
    }
  }
  const [width, height] = [matrix[0].length * size, matrix.length * size];
  const across = Array.from({ length: matrix.length + 1 }, (_, i) => `M${x} ${y + i * size}h${width}`);
  const down = Array.from({ length: matrix[0].length + 1 }, (_, j) => `M${round(x + j * size)} ${y}v${height}`);
  const lines = size >= 12 ? [...across, ...down].join("") : `M${x} ${y}h${width}v${height}h-${width}z`;
  return [
    ...Array.from(paths, ([fill, path]) => `<path d="${path}" ${fill}/>`),
    `<path d="${lines}" fill="none" stroke="${COLOURS.grid}"/>`,
  ];
}

function numbersOf(matrix, shifted, size, { x, y }, digits) {
  const largest = largestOf(shifted);
  const texts = matrix.flatMap((row, i) =>
    row.map((value, j) => {
      const colour = strengthOf(shifted[i][j], largest) > 0.65 ? { fill: COLOURS.onHeadwise } : {};
      return Number.isFinite(value) ? textAt(round(x + (j + 0.5) * size), y + (i + 0.5) * size, value.toFixed(digits), colour) : "";
    }),
  );
  return ['<g font-size="12">', ...texts, "</g>"];
}

/**
 * Who attends to whom: a row of words above, a row of words below, and a line for each weight, the wider the larger.
 *
 * @param panels   { weights: rows of numbers, from: words of the rows, to: words of the columns, title? }
 * @param options  { title?, least? } weights below `least` have no line, default 0.02
 */
export const links = (panels, { title, least = 0.02 } = {}) =>
  inRow(
    panels.map((panel) => linkPanel(panel, least)),
    title,
  );

function linkPanel({ weights, from, to, title }, least) {
  const step = Math.max(36, widthOf([...from, ...to]) + 14);
  const width = Math.max(step * Math.max(from.length, to.length), widthOf([title ?? ""]));
  const top = title === undefined ? 8 : 36;
  const parts = title === undefined ? [] : [textAt(0, 8, title, HEADING)];
  const centre = (index) => round((index + 0.5) * step);
  for (const [i, row] of weights.entries()) {
    for (const [j, weight] of row.entries()) {
      if (weight < least) continue;
      const [x1, y1, x2, y2] = [centre(i), top + 14, centre(j), top + LINK_HEIGHT - 14];
      const middle = (y1 + y2) / 2;
      const path = `M${x1} ${y1} C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`;
      const width = round(0.5 + 5 * weight);
      parts.push(
        `<path d="${path}" fill="none" stroke="${COLOURS.headwise}" stroke-width="${width}" stroke-opacity="${round(0.2 + 0.8 * weight)}"/>`,
      );
    }
  }
  for (const [i, word] of from.entries()) parts.push(textAt(centre(i), top, word, { "font-weight": "bold" }));
  for (const [j, word] of to.entries()) parts.push(textAt(centre(j), top + LINK_HEIGHT, word));
  return { parts, width, height: top + LINK_HEIGHT + 8 };
}

/** Rows of a matrix as shaded blocks: a darker one is a number farther from 0. */
export function blocks(matrix) {
  const largest = largestOf(matrix);
  const shadeOf = (value) => SHADES[Math.min(SHADES.length - 1, Math.round(strengthOf(value, largest) * (SHADES.length - 1)))];
  return matrix.map((row) => row.map((value) => shadeOf(value).repeat(2)).join("")).join("\n");
}
