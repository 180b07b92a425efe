/** Bytes → the text that src/runtime/printable.ts decodes. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FIRST = 32;
const CHARACTERS = 95;
const PREFIXES = 2;
const SINGLES = CHARACTERS - PREFIXES;

/** @param {Uint8Array} bytes @returns {string} */
export function encodePrintable(bytes) {
  const counts = new Array(256).fill(0);
  for (const byte of bytes) counts[byte]++;
  const all = [...counts.keys()];
  const frequent = new Set([...all].sort((one, other) => counts[other] - counts[one]).slice(0, SINGLES));
  const order = [...all.filter((byte) => frequent.has(byte)), ...all.filter((byte) => !frequent.has(byte))];
  const digits = Array.from({ length: 64 }, (_, digit) =>
    [0, 1, 2, 3].reduce((sum, bit) => sum + (frequent.has(4 * digit + bit) ? 1 << bit : 0), 0).toString(16),
  );
  const character = (index) => String.fromCharCode(FIRST + index);
  const codes = Array.from(all, (byte) => {
    const index = order.indexOf(byte) + PREFIXES;
    return index < CHARACTERS ? character(index) : character(Math.floor(index / CHARACTERS) - 1) + character(index % CHARACTERS);
  });
  return digits.join("") + Array.from(bytes, (byte) => codes[byte]).join("");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(encodePrintable(readFileSync(process.argv[2])));
