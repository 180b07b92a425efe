/** Tables and the progress line. */
import type { Row } from "./context.js";

/** On a terminal, shows what is being measured; an empty text clears the line. */
export const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};

/** Three significant digits, but all digits before the decimal point. */
const rounded = (value: string | number | undefined): string | number => {
  if (typeof value !== "number") return value ?? "";
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
};

export const printTable = (rows: readonly Row[]): void =>
  console.table(rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, rounded(value)]))));
