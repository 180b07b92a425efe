/**
 * The allocator: spans on 64-byte lines that live until they are freed (tensors), and above them scratch that lives for one
 * call. A call that makes other calls has its own scratch below theirs.
 *
 *     base      spans and gaps                top      scratch of the call in progress
 *     │ tensor │ gap │ tensor │ … │ tensor │          │█████████│█████│ slack │
 */
import { wrongMoment, wrongValue } from "../check.js";
import { Gaps } from "./gaps.js";
import type { LinearMemory } from "./memory.js";

/** A cache line; vectors never straddle one. */
const LINE = 64;
/** Kernels may read this far beyond the end of a tensor. */
const SLACK = LINE;

/** Rounds up to whole lines. */
export const wholeLines = (bytes: number): number => Math.ceil(bytes / LINE) * LINE;

/** The part of a memory that the arena needs. */
type GrowingMemory = Pick<LinearMemory, "byteLength" | "growTo">;

export class Arena {
  readonly #memory: GrowingMemory;
  readonly #base: number;
  readonly #limit: number;
  /** Bytes of each live span, by its address, and of all. */
  readonly #spans = new Map<number, number>();
  #spanBytes = 0;
  /** End of the highest span. */
  #spansEnd: number;
  /** Free memory below it: stretches without a span, each between two spans. */
  readonly #gaps = new Gaps();
  /** The start of each gap by its end, and the end of each gap by its start. */
  readonly #startOf = new Map<number, number>();
  readonly #endOf = new Map<number, number>();
  /** Bytes of each stretch of scratch in use, outermost first. */
  #scratch: number[] = [];

  /**
   * @param base   first free byte
   * @param limit  bytes beyond which the memory may not grow
   */
  constructor(memory: GrowingMemory, base: number, limit: number) {
    this.#memory = memory;
    this.#base = wholeLines(base);
    this.#spansEnd = this.#base;
    this.#limit = limit;
  }

  /** Bytes of live spans and of the scratch in use. */
  get inUse(): number {
    return this.#spanBytes + this.#scratchBytes;
  }

  get #scratchBytes(): number {
    return this.#scratch.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** End of the highest span and of the scratch in use. */
  get #top(): number {
    return this.#spansEnd + this.#scratchBytes;
  }

  /** Bytes that a call can have for its scratch. */
  get room(): number {
    return this.#limit - SLACK - this.#top;
  }

  /** Address of `bytes` bytes in the first gap that holds them, or else on top. */
  allocate(operation: string, bytes: number): number {
    if (this.#scratch.length > 0) throw wrongMoment(operation, "another call is in progress");
    const size = Math.max(LINE, wholeLines(bytes));
    const gap = this.#gaps.firstOf(size);
    const ptr = gap?.start ?? this.#spansEnd;
    this.#reserve(operation, ptr, size);
    if (gap) {
      this.#close(gap.start);
      this.#open(ptr + size, gap.start + gap.bytes);
    } else this.#spansEnd = ptr + size;
    this.#spans.set(ptr, size);
    this.#spanBytes += size;
    return ptr;
  }

  /** Frees the span at `ptr`. */
  free(ptr: number): void {
    const bytes = this.#spans.get(ptr);
    if (bytes === undefined) return;
    this.#spans.delete(ptr);
    this.#spanBytes -= bytes;
    const start = this.#startOf.get(ptr) ?? ptr; // with the gaps on both sides
    const end = this.#endOf.get(ptr + bytes) ?? ptr + bytes;
    if (start < ptr) this.#close(start);
    if (end > ptr + bytes) this.#close(ptr + bytes);
    if (end === this.#spansEnd) this.#spansEnd = start;
    else this.#open(start, end);
  }

  /** Adds a gap, unless it is empty. */
  #open(start: number, end: number): void {
    if (start === end) return;
    this.#gaps.add(start, end - start);
    this.#startOf.set(end, start);
    this.#endOf.set(start, end);
  }

  /** Removes the gap that begins at `start`. */
  #close(start: number): void {
    this.#gaps.remove(start);
    this.#startOf.delete(this.#endOf.get(start)!);
    this.#endOf.delete(start);
  }

  /** Address of `bytes` bytes for the call in progress, until `closeScratch`. On failure nothing has changed. */
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

  /** Frees the scratch that was opened last. */
  closeScratch(): void {
    this.#scratch.pop();
  }

  /** Throws if the call in progress could never have `bytes` bytes, before anything of that size is allocated. */
  assertFits(operation: string, bytes: number): void {
    this.#assertBelowLimit(operation, this.#top, bytes);
  }

  #reserve(operation: string, ptr: number, bytes: number): void {
    this.#assertBelowLimit(operation, ptr, bytes);
    const end = ptr + bytes + SLACK;
    if (end > this.#memory.byteLength && !this.#memory.growTo(end)) {
      throw wrongValue(operation, `needs ${end} bytes of memory, but the host refused to grow it that far`);
    }
  }

  #assertBelowLimit(operation: string, ptr: number, bytes: number): void {
    const end = ptr + bytes + SLACK;
    if (end > this.#limit) {
      const others = ptr === this.#base ? "" : ` (${bytes} beyond the ${ptr} that static data and tensors take)`;
      throw wrongValue(operation, `needs ${end} bytes of memory${others}, but info.memory.limit is ${this.#limit}`);
    }
  }
}
