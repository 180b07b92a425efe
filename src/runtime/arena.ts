/**
 * The allocator: blocks on 64-byte lines that live until they are freed (tensors), and above them scratch that lives for one
 * call. A call that is made of others has scratch of its own below theirs.
 *
 *     base      blocks and gaps               top      scratch of the call in work
 *     │ tensor │ gap │ tensor │ … │ tensor │          │█████████│█████│ slack │
 */
import { wrongMoment, wrongValue } from "../check.js";
import type { LinearMemory } from "./memory.js";

/** A cache line; vectors never straddle one. */
const LINE = 64;
/** Kernels may read this far beyond the end of a tensor. */
const SLACK = LINE;

/** Rounds up to whole lines. */
export const wholeLines = (bytes: number): number => Math.ceil(bytes / LINE) * LINE;

export class Arena {
  readonly #memory: LinearMemory;
  readonly #base: number;
  readonly #limit: number;
  /** Live blocks, in the order of addresses. */
  #blocks: { ptr: number; bytes: number }[] = [];
  /** Bytes of each stretch of scratch in use, outermost first. */
  #scratch: number[] = [];

  /**
   * @param base   first free byte
   * @param limit  bytes beyond which the memory may not grow
   */
  constructor(memory: LinearMemory, base: number, limit: number) {
    this.#memory = memory;
    this.#base = wholeLines(base);
    this.#limit = limit;
  }

  /** Bytes of live blocks and of the scratch in use. */
  get inUse(): number {
    return this.#blocks.reduce((sum, block) => sum + block.bytes, this.#scratchBytes);
  }

  get #scratchBytes(): number {
    return this.#scratch.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** End of the highest block and of the scratch in use. */
  get #top(): number {
    const last = this.#blocks.at(-1);
    return (last ? last.ptr + last.bytes : this.#base) + this.#scratchBytes;
  }

  /** Bytes that a call may have for its scratch. */
  get room(): number {
    return this.#limit - SLACK - this.#top;
  }

  /** Address of `bytes` bytes in the first gap that holds them, or else on top. */
  allocate(operation: string, bytes: number): number {
    if (this.#scratch.length > 0) throw wrongMoment(operation, "a call is in work");
    const size = Math.max(LINE, wholeLines(bytes));
    let ptr = this.#base;
    let index = 0;
    for (; index < this.#blocks.length; index++) {
      const block = this.#blocks[index]!;
      if (block.ptr - ptr >= size) break;
      ptr = block.ptr + block.bytes;
    }
    this.#reserve(operation, ptr, size);
    this.#blocks.splice(index, 0, { ptr, bytes: size });
    return ptr;
  }

  /** Gives the block at `ptr` back. */
  free(ptr: number): void {
    this.#blocks = this.#blocks.filter((block) => block.ptr !== ptr);
  }

  /** Address of `bytes` bytes for the call in work, until `closeScratch`. On failure nothing has changed. */
  openScratch(operation: string, bytes: number): number {
    const ptr = this.#top;
    this.#reserve(operation, ptr, bytes);
    this.#scratch.push(wholeLines(bytes));
    return ptr;
  }

  /** Address of `bytes` bytes more for the scratch that was opened last. On failure nothing has changed. */
  extendScratch(operation: string, bytes: number): number {
    const ptr = this.#top;
    this.#reserve(operation, ptr, bytes);
    this.#scratch[this.#scratch.length - 1]! += wholeLines(bytes);
    return ptr;
  }

  /** Gives back what was opened last. */
  closeScratch(): void {
    this.#scratch.pop();
  }

  /** Throws if the call in work could never have `bytes` bytes, before anything of that size is made. */
  assertFits(operation: string, bytes: number): void {
    this.#assertBelowLimit(operation, this.#top, bytes);
  }

  #reserve(operation: string, ptr: number, bytes: number): void {
    this.#assertBelowLimit(operation, ptr, bytes);
    const end = ptr + bytes + SLACK;
    if (end > this.#memory.byteLength && !this.#memory.growTo(end)) {
      throw wrongValue(operation, `needs ${end} bytes of memory, and the host refused to grow it so far`);
    }
  }

  #assertBelowLimit(operation: string, ptr: number, bytes: number): void {
    const end = ptr + bytes + SLACK;
    if (end > this.#limit) {
      const blocks = ptr === this.#base ? "" : ` (${bytes} beyond the ${ptr} that static data and tensors take)`;
      throw wrongValue(operation, `needs ${end} bytes of memory${blocks}, but maximumMemory is ${this.#limit}`);
    }
  }
}
