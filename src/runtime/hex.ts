/** Added to the low four bits of a letter's code, `a` = 0x61, gives the digit's value. */
const LETTER = 9;

/** Decodes hexadecimal digits in lower case to bytes. */
export function decodeHex(text: string): Uint8Array<ArrayBuffer> {
  const codes = new TextEncoder().encode(text);
  const digit = (code: number): number => (code & 15) + (code >> 6) * LETTER; // the codes of letters begin at 64
  const bytes = new Uint8Array(codes.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = 16 * digit(codes[2 * i]!) + digit(codes[2 * i + 1]!);
  return bytes;
}
