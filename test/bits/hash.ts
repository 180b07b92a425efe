/** SHA-256 of results, the same for the same numbers on every host. */
import type { Outputs } from "./case.js";

/** SHA-256 in hexadecimal, of each output. */
export type Hashes = Readonly<Record<string, string>>;

/** Stands for every NaN, whose bits are the processor's choice. */
const CANONICAL_NAN = 0x7fc00000;

/** Little-endian on every host. */
function bytesOf(data: Float32Array | Uint8Array): Uint8Array<ArrayBuffer> {
  if (data instanceof Uint8Array) return Uint8Array.from(data);
  const bytes = new DataView(new ArrayBuffer(4 * data.length));
  for (const [index, value] of data.entries()) {
    if (Number.isNaN(value)) bytes.setUint32(4 * index, CANONICAL_NAN, true);
    else bytes.setFloat32(4 * index, value, true);
  }
  return new Uint8Array(bytes.buffer);
}

export async function hashesOf(outputs: Outputs): Promise<Hashes> {
  const hashes: Record<string, string> = {};
  for (const [name, data] of Object.entries(outputs)) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytesOf(data)));
    hashes[name] = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  return hashes;
}
