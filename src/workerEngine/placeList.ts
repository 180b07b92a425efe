/** The caller's places of one call: arrays that stay on this thread, and receive copies of the worker's results. */
import { stridesUnder } from "../call/broadcast.js";
import { copyPlaced, type elementClass, type Elements, readView, type View } from "../call/view.js";
import { counted, plainView, readDims, typedArrayLength, wrongMoment } from "../check.js";
import type { Encoded, Entries, PlaceAt, Span } from "./messages.js";

/** What a place may be. */
export type PlaceArray = Elements;
type PlaceClass = ReturnType<typeof elementClass>;

interface Place {
  readonly name: string;
  readonly data: PlaceArray;
  readonly Kind: PlaceClass;
  readonly length: number;
  /** `dims`, `strides` and `offset` as they were sent. */
  readonly entries: Entries;
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
  add(name: string, data: PlaceArray, Kind: PlaceClass, entries: Entries): number {
    return this.#list.push({ name, data: plainView(data, Kind), Kind, length: typedArrayLength(data), entries }) - 1;
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
      contents: this.areRead ? new Uint8Array(new Uint8Array(buffer, start, end - start)).buffer : undefined,
    }));
  }

  /**
   * Copies results to their places, all or none.
   * @throws {Error} an array that was detached meanwhile
   */
  fill(operation: string, spans: readonly ArrayBuffer[]): void {
    this.#assertWhole(operation, "when its results arrive");
    for (const [index, { name, data, Kind, entries }] of this.#list.entries()) {
      const { span, offset, length } = this.#at[index]!;
      const results = new Kind(spans[span]!, offset, length);
      const { dims, strides, offset: first } = Object.fromEntries(entries.map(([key, value]) => [key, plainValue(value)]));
      const sizes = readDims(operation, name, "dims", dims);
      const view = readView(operation, name, sizes, { strides, offset: first });
      if (view) fillView(data, results, sizes, view);
      else data.set(results);
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

const plainValue = (value: Encoded): unknown => (typeof value === "object" && value?.kind === "list" ? value.items : value);

/** Only the elements of a view: the others may have changed since the call was made. */
function fillView(data: PlaceArray, results: PlaceArray, dims: readonly number[], { offset = 0, strides }: View): void {
  const sizes = dims.length === 0 ? [1] : dims;
  const places = strides ?? stridesUnder(sizes, sizes.length);
  copyPlaced(sizes, data.subarray(offset), places, results.subarray(offset), places);
}

const stretchOf = ({ buffer, byteOffset, byteLength }: PlaceArray): Stretch => ({
  buffer,
  start: byteOffset,
  end: byteOffset + byteLength,
});

const overlap = (a: Stretch, b: Stretch): boolean => a.buffer === b.buffer && a.start < b.end && b.start < a.end;
