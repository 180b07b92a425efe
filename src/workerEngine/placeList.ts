/** The caller's places of one call: arrays that stay on this thread, and receive copies of the worker's results. */
import { counted, plainView, typedArrayLength, wrongMoment } from "../check.js";
import type { PlaceAt, Span } from "./messages.js";

/** float32, or the bits of float16. */
export type PlaceArray = Float32Array | Uint16Array;
type PlaceClass = new (buffer: ArrayBufferLike, offset: number, length: number) => PlaceArray;

interface Place {
  readonly name: string;
  readonly data: PlaceArray;
  readonly Kind: PlaceClass;
  readonly length: number;
}

/** A stretch of a caller's buffer. */
interface Stretch {
  readonly buffer: ArrayBufferLike;
  readonly start: number;
  readonly end: number;
}

export class PlaceList {
  readonly #list: Place[] = [];
  #at: readonly PlaceAt[] = [];
  #stretches: readonly Stretch[] = [];
  /** Whether the call reads their contents. */
  areRead = false;

  /** Returns the number of the place. */
  add(name: string, data: PlaceArray, Kind: PlaceClass): number {
    return this.#list.push({ name, data: plainView(data, Kind), Kind, length: typedArrayLength(data) }) - 1;
  }

  /** The name of a place in one of the buffers. */
  inOneOf(buffers: readonly ArrayBufferLike[]): string | undefined {
    return this.#list.find(({ data }) => buffers.includes(data.buffer))?.name;
  }

  /** Lays out memory for the worker: a span for each place, or for places that overlap, which the engine refuses. */
  layOut(): readonly PlaceAt[] {
    let stretches: Stretch[] = [];
    for (const { data } of this.#list) {
      const own = stretchOf(data);
      const touching = stretches.filter((other) => overlap(own, other));
      // whole words, so that float32 stays aligned beside float16
      const start = Math.min(own.start - (own.start % 4), ...touching.map((other) => other.start));
      const end = Math.max(own.end, ...touching.map((other) => other.end));
      stretches = [...stretches.filter((other) => !touching.includes(other)), { buffer: own.buffer, start, end }];
    }
    this.#at = this.#list.map(({ data, length }) => {
      const own = stretchOf(data);
      const span = stretches.findIndex(({ buffer, start, end }) => buffer === own.buffer && start <= own.start && own.end <= end);
      return { span, offset: own.start - stretches[span]!.start, length };
    });
    this.#stretches = stretches;
    return this.#at;
  }

  /**
   * The spans, with the current contents of the places if the call reads them.
   * @throws {Error} an array that was detached meanwhile
   */
  spans(operation: string): Span[] {
    if (this.areRead) this.#assertWhole(operation, "when its call is made");
    return this.#stretches.map(({ buffer, start, end }) => ({
      bytes: end - start,
      contents: this.areRead ? (buffer as ArrayBuffer).slice(start, end) : undefined,
    }));
  }

  /**
   * Copies results to their places, all or none.
   * @throws {Error} an array that was detached meanwhile
   */
  fill(operation: string, spans: readonly ArrayBuffer[]): void {
    this.#assertWhole(operation, "when its results arrive");
    for (const [index, { data, Kind }] of this.#list.entries()) {
      const { span, offset, length } = this.#at[index]!;
      data.set(new Kind(spans[span]!, offset, length));
    }
  }

  #assertWhole(operation: string, when: string): void {
    for (const { name, data, length } of this.#list) {
      if (data.length !== length) {
        throw wrongMoment(operation, `"${name}" holds ${counted(data.length, "element")} ${when}, expected ${length}`);
      }
    }
  }
}

const stretchOf = ({ buffer, byteOffset, byteLength }: PlaceArray): Stretch => ({
  buffer,
  start: byteOffset,
  end: byteOffset + byteLength,
});

const overlap = (a: Stretch, b: Stretch): boolean => a.buffer === b.buffer && a.start < b.end && b.start < a.end;
