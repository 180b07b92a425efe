/** Added to the low four bits of a letter's code, `a` = 0x61, gives the digit's value. */
const LETTER = 9;

/** Decodes hexadecimal digits in lower case to bytes. */
export function decodeHex(text: string): Uint8Array<ArrayBuffer> {
  const digitAt = (index: number): number => {
    const code = text.charCodeAt(index);
    return (code & 15) + (code >> 6) * LETTER; // the codes of letters begin at 64
  };
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = 16 * digitAt(2 * i) + digitAt(2 * i + 1);
  return bytes;
}
