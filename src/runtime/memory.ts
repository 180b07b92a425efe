import { isShared, wrongValue } from "../check.js";

/** The size of a memory to reserve, in bytes. */
export interface MemoryLimits {
  readonly initialBytes: number;
  readonly maximumBytes: number;
  /** Whether a smaller maximum serves too, where the host refuses this one. Default false. */
  readonly mayBeSmaller?: boolean | undefined;
}

/** A memory that no module uses yet. */
export interface Reserved extends MemoryLimits {
  readonly object: WebAssembly.Memory;
  readonly isShared: boolean;
}

/** The least maximum that is tried. */
const LEAST_MAXIMUM_BYTES = 2 ** 27;

/**
 * Reserves memory. Some hosts, telephones above all, refuse a shared one with a large maximum.
 *
 * @throws {RangeError} the host refuses it
 */
export function reserve(operation: string, limits: MemoryLimits, isShared: boolean): Reserved {
  const { initialBytes, mayBeSmaller } = limits;
  const initial = Math.ceil(initialBytes / PAGE_BYTES);
  for (let { maximumBytes } = limits; ; maximumBytes /= 2) {
    const maximum = Math.floor(maximumBytes / PAGE_BYTES);
    try {
      const object = new WebAssembly.Memory({ initial, maximum, shared: isShared });
      return { ...limits, maximumBytes: maximum * PAGE_BYTES, object, isShared };
    } catch (error) {
      if (mayBeSmaller && maximumBytes / 2 >= Math.max(initialBytes, LEAST_MAXIMUM_BYTES)) continue;
      const kind = isShared ? "shared memory" : "memory";
      const sizes = `${initialBytes} bytes that may grow to ${maximumBytes}`;
      throw wrongValue(operation, `this host refuses ${kind} of ${sizes} (${(error as Error).message})`);
    }
  }
}

/** Linear memory and views on it. Only this class grows the memory; it then makes new views, and older ones become useless. */
export class LinearMemory {
  readonly #memory: WebAssembly.Memory;
  /** Whether other threads can see it. */
  readonly isShared: boolean;
  #buffer!: ArrayBufferLike;
  /** Its buffers of every size so far: shared ones stay usable when it grows. */
  readonly #buffers = new WeakSet<ArrayBufferLike>();
  #f32!: Float32Array;
  #i32!: Int32Array;
  #u8!: Uint8Array;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    this.isShared = isShared(memory.buffer);
    this.#refresh();
  }

  #refresh(): void {
    const { buffer } = this.#memory;
    this.#buffer = buffer;
    this.#buffers.add(buffer);
    this.#f32 = new Float32Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u8 = new Uint8Array(buffer);
  }

  /** The object that instances are linked with. */
  get object(): WebAssembly.Memory {
    return this.#memory;
  }

  get buffer(): ArrayBufferLike {
    return this.#buffer;
  }

  /** Whether a buffer is this memory, at its current or an earlier size. */
  owns(buffer: ArrayBufferLike): boolean {
    return this.#buffers.has(buffer);
  }

  get byteLength(): number {
    return this.#buffer.byteLength;
  }

  get f32(): Float32Array {
    return this.#f32;
  }

  get i32(): Int32Array {
    return this.#i32;
  }

  get u8(): Uint8Array {
    return this.#u8;
  }

  /** Grows to at least `bytes`; false where the host refuses. */
  growTo(bytes: number): boolean {
    const pages = Math.ceil((bytes - this.byteLength) / PAGE_BYTES);
    if (pages <= 0) return true;
    try {
      this.#memory.grow(pages);
      this.#refresh();
      return true;
    } catch {
      return false;
    }
  }
}

/** WebAssembly's unit of growth. */
export const PAGE_BYTES = 65536;
/** Bytes that 32-bit addresses can reach. */
export const MAX_BYTES = 65536 * PAGE_BYTES;
