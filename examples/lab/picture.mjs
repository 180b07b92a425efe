/** Pictures of matrices and of attention weights, as SVGs for light and dark pages, and as blocks for a terminal. */
import { COLOURS, NEGATIVE, textAt, withDarkStyle } from "./style.mjs";

/** Pixels. */
const MARGIN = 16;
const GAP = 40;
const LETTER = 7.5; // an average letter of 13 pixels
const LINK_HEIGHT = 140;

const SHADES = [..." ░▒▓█"];
/** The strongest fill of a cell. */
const DARKEST = 0.9;

const round = (value) => Number(value.toFixed(2));
const widthOf = (texts, size = 13) => Math.max(0, ...texts.map((text) => (text.length * LETTER * size) / 13));

/** @returns { svg, width, height } of panels side by side below a title, each { parts, width, height } with its corner at 0, 0 */
function inRow(panels, title) {
  const top = title === undefined ? MARGIN : MARGIN + 32;
  const height = Math.ceil(top + Math.max(...panels.map((panel) => panel.height)) + MARGIN);
  let left = MARGIN;
  const parts = [];
  for (const panel of panels) {
    parts.push(`<g transform="translate(${round(left)} ${top})">`, ...panel.parts, "</g>");
    left += panel.width + GAP;
  }
  const width = Math.ceil(Math.max(left - GAP, widthOf([title ?? ""], 15) + MARGIN) + MARGIN);
  const heading = title === undefined ? [] : [textAt(MARGIN, MARGIN + 8, title, { size: 15, anchor: "start", weight: "bold" })];
  return withDarkStyle(
    [
      `<svg width="${width}" height="${height}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">`,
      `<rect width="${width}" height="${height}" x="0" y="0" fill="${COLOURS.ground}"></rect>`,
      ...heading,
      ...parts,
      "</svg>",
    ].join("\n"),
  );
}

/**
 * Matrices side by side: a stronger colour is a number farther from 0, another hue one below 0. NaN and −∞ leave a cell empty.
 *
 * @param panels   { matrix: rows of numbers, rows?, columns?: their labels, title?, digits?: decimals shown, default 2 if cells are few }
 * @param options  { title? } above all of them
 */
export const heatmaps = (panels, { title } = {}) => inRow(panels.map(heatPanel), title);

/** A single matrix. */
export const heatmap = (matrix, { title, ...labels } = {}) => heatmaps([{ matrix, ...labels }], { title });

function heatPanel({ matrix, rows = [], columns = [], title, digits }) {
  const longest = Math.max(matrix.length, matrix[0].length);
  const showsNumbers = digits !== undefined || longest <= 8;
  const cell = showsNumbers ? 46 : Math.max(4, Math.min(24, Math.floor(420 / longest)));
  const largest = Math.max(...matrix.flat().map((value) => (Number.isFinite(value) ? Math.abs(value) : 0))) || 1;
  const left = rows.length > 0 ? widthOf(rows) + 8 : 0;
  const slanted = widthOf(columns) > cell - 4;
  const labelHeight = columns.length === 0 ? 0 : slanted ? widthOf(columns) * 0.72 + 14 : 22;
  const top = (title === undefined ? 0 : 26) + labelHeight;
  const width = left + matrix[0].length * cell;
  const parts = title === undefined ? [] : [textAt(0, 8, title, { size: 13, anchor: "start", weight: "bold" })];

  for (const [j, label] of columns.entries()) {
    const [x, y] = [round(left + (j + 0.5) * cell), round(top - 12)];
    if (slanted) parts.push(`<g transform="translate(${x} ${y}) rotate(-45)">${textAt(0, 0, label, { anchor: "start" })}</g>`);
    else parts.push(textAt(x, y, label));
  }
  for (const [i, row] of matrix.entries()) {
    const y = round(top + i * cell);
    if (rows[i] !== undefined) parts.push(textAt(round(left - 8), y + cell / 2, rows[i], { anchor: "end" }));
    for (const [j, value] of row.entries())
      parts.push(...cellAt(value, round(left + j * cell), y, cell, largest, showsNumbers ? (digits ?? 2) : undefined));
  }
  return { parts, width: Math.max(width, widthOf([title ?? ""])) + (slanted ? 24 : 0), height: top + matrix.length * cell };
}

function cellAt(value, x, y, size, largest, digits) {
  const strength = Number.isFinite(value) ? (DARKEST * Math.abs(value)) / largest : 0;
  const outline = size >= 12 ? ` stroke="${COLOURS.grid}"` : "";
  const fill = value < 0 ? NEGATIVE : COLOURS.headwise;
  const parts = [
    `<rect x="${x}" y="${y}" width="${size}" height="${size}" fill="${fill}" fill-opacity="${round(strength)}"${outline}></rect>`,
  ];
  if (digits !== undefined && Number.isFinite(value)) {
    const colour = strength > 0.6 ? COLOURS.onHeadwise : COLOURS.text;
    parts.push(textAt(x + size / 2, y + size / 2, value.toFixed(digits), { size: 12, fill: colour }));
  }
  return parts;
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
  const parts = title === undefined ? [] : [textAt(0, 8, title, { size: 13, anchor: "start", weight: "bold" })];
  const centre = (index) => round((index + 0.5) * step);
  for (const [i, row] of weights.entries()) {
    for (const [j, weight] of row.entries()) {
      if (weight < least) continue;
      const [x1, y1, x2, y2] = [centre(i), top + 14, centre(j), top + LINK_HEIGHT - 14];
      const middle = (y1 + y2) / 2;
      const path = `M${x1} ${y1} C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`;
      const width = round(0.5 + 5 * weight);
      parts.push(
        `<path d="${path}" fill="none" stroke="${COLOURS.headwise}" stroke-width="${width}" stroke-opacity="${round(0.2 + 0.8 * weight)}"></path>`,
      );
    }
  }
  for (const [i, word] of from.entries()) parts.push(textAt(centre(i), top, word, { weight: "bold" }));
  for (const [j, word] of to.entries()) parts.push(textAt(centre(j), top + LINK_HEIGHT, word));
  return { parts, width, height: top + LINK_HEIGHT + 8 };
}

/** Rows of a matrix as shaded blocks: a darker one is a number farther from 0. */
export function blocks(matrix) {
  const largest = Math.max(...matrix.flat().map(Math.abs)) || 1;
  const shadeOf = (value) => SHADES[Math.min(SHADES.length - 1, Math.round((Math.abs(value) / largest) * (SHADES.length - 1)))];
  return matrix.map((row) => row.map((value) => shadeOf(value).repeat(2)).join("")).join("\n");
}
