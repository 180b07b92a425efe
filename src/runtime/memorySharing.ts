/**
 * Threads need modules for shared memory, which a single thread doesn't need and not every host allows. The two kinds of module
 * differ in one byte: the limits flag of the memory import.
 */
import { wrongKind } from "../check.js";

const IMPORT_SECTION = 2;
const MEMORY_KIND = 2;
const SHARED_WITH_MAXIMUM = 3;
const UNSHARED_WITH_MAXIMUM = 1;

/** A copy of the module in which the imported memory is shared, or is not. */
export function withMemory(operation: string, wasm: BufferSource, isShared: boolean): Uint8Array<ArrayBuffer> {
  const bytes = ArrayBuffer.isView(wasm)
    ? new Uint8Array(wasm.buffer, wasm.byteOffset, wasm.byteLength).slice()
    : new Uint8Array(wasm).slice();
  if (bytes.length < 8 || String.fromCharCode(...bytes.subarray(0, 4)) !== "\0asm") {
    throw wrongKind(operation, `"wasm" must hold a WebAssembly module, got ${bytes.length} bytes that do not begin like one`);
  }

  let at = 8;
  /** LEB128 */
  const number = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };

  const skip = (length: number): void => {
    at += length;
  };

  while (at < bytes.length) {
    const section = bytes[at++];
    const length = number();
    if (section === IMPORT_SECTION) {
      // The kernels import the memory and nothing else: [1, module name, field name, kind, flags]
      number();
      skip(number());
      skip(number());
      const hasMaximum = bytes[at + 1] === SHARED_WITH_MAXIMUM || bytes[at + 1] === UNSHARED_WITH_MAXIMUM;
      if (bytes[at] === MEMORY_KIND && hasMaximum) bytes[at + 1] = isShared ? SHARED_WITH_MAXIMUM : UNSHARED_WITH_MAXIMUM;
      break;
    }
    skip(length);
  }
  return bytes;
}
