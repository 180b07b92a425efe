/**
 * Touching cache lines. WebAssembly has no prefetch, but it can read from many lines at once: a processor looks only so
 * many instructions ahead, so if the work on each line takes many, only a few lines would be in flight together.
 */
import { LINE } from "./layout";

/** Reads a byte of every 64; V8 keeps the loads as they might trap. */
// @ts-ignore: decorator
@inline
export function touchLines(ptr: usize, bytes: usize): void {
  for (const end = ptr + bytes; ptr < end; ptr += LINE) load<u8>(ptr);
}
