/** Bytes as printable characters. Compressed, such a text is as small as the bytes themselves. */

/** A text begins with a bit for each byte, as digits: 1 if the byte is a frequent one. */
const DIGITS = 64;
const FIRST = 32; // the space
const CHARACTERS = 95;
/** Either of the first two characters begins the pair of a rare byte; each of the others stands for a frequent byte. */
const PREFIXES = 2;

/** Decodes what scripts/builder/printable.mjs encodes. */
export function decodePrintable(text: string): Uint8Array<ArrayBuffer> {
  const isFrequent = (byte: number): boolean => ((parseInt(text[byte >> 2]!, 16) >> (byte & 3)) & 1) === 1;
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  const order = Uint8Array.from([...all.filter(isFrequent), ...all.filter((byte) => !isFrequent(byte))]);
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let at = DIGITS; at < text.length; at++) {
    let index = text.charCodeAt(at) - FIRST;
    if (index < PREFIXES) index = (index + 1) * CHARACTERS + text.charCodeAt(++at) - FIRST;
    bytes[length++] = order[index - PREFIXES]!;
  }
  return bytes.slice(0, length);
}
