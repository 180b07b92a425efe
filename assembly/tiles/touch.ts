/**
 * Asking for cache lines. WebAssembly can't do it before it needs them, but it can ask for many at once: a processor looks only so
 * many instructions ahead, so where each line takes many, few lines would be on their way together.
 */
import { LINE } from "./layout";

/** Reads a byte of every 64, which V8 leaves in as it might trap. */
// @ts-ignore: decorator
@inline
export function touchLines(ptr: usize, bytes: usize): void {
  for (const end = ptr + bytes; ptr < end; ptr += LINE) load<u8>(ptr);
}
