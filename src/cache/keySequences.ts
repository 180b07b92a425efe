/**
 * The keys of each sequence of a cache, as lists of blocks in the arena. Sequences may share blocks, also with forks: a block
 * counts its users, and is copied before a write if it has others.
 */
import { BLOCK } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";
import { Span } from "../runtime/span.js";

/** Blocks that hold `keys` keys. */
export const blocksOf = (keys: number): number => Math.ceil(keys / BLOCK);

/** End of the blocks of sink tokens, after which evicted keys begin; 0 where none are evicted. */
export const sinkEndOf = ({ evicted }: Pick<KeySequence, "evicted">, { sinkTokens }: { readonly sinkTokens: number }): number =>
  evicted > 0 ? blocksOf(sinkTokens) * BLOCK : 0;

export interface KeySequence {
  /** Keys so far, including evicted ones. */
  length: number;
  /** By number: the block of key j is ⌊j / BLOCK⌋. Evicted ones are missing. */
  readonly blocks: (Span | undefined)[];
  /** Keys before this one are evicted, except for the sink tokens' blocks. A multiple of BLOCK. */
  evicted: number;
}

/** Keys `first` to `end` − 1 of a sequence. */
export interface KeySpan {
  readonly sequence: KeySequence;
  readonly first: number;
  readonly end: number;
}

/** Addresses of a sequence's first `count` blocks, for the kernels; 0 for missing ones. */
export function writeBlocks({ blocks }: KeySequence, count: number, i32: Int32Array, word: number): void {
  for (let index = 0; index < count; index++) i32[word + index] = blocks[index]?.ptr ?? 0;
}

/** A new block to write to, and the block that it replaces. */
export interface MadeBlock {
  readonly sequence: KeySequence;
  readonly index: number;
  readonly block: Span;
  readonly replaced: Span | undefined;
}

export class KeySequences {
  readonly runtime: Runtime;
  readonly blockBytes: number;
  list: KeySequence[];

  constructor(runtime: Runtime, blockBytes: number, list: KeySequence[]) {
    this.runtime = runtime;
    this.blockBytes = blockBytes;
    this.list = list;
  }

  static empty(runtime: Runtime, blockBytes: number, batchSize: number): KeySequences {
    return new KeySequences(
      runtime,
      blockBytes,
      Array.from({ length: batchSize }, () => ({ length: 0, blocks: [], evicted: 0 })),
    );
  }

  /** Keys of each sequence. */
  get lengths(): number[] {
    return this.list.map(({ length }) => length);
  }

  /** Keys of the longest sequence. */
  get longest(): number {
    return this.list.reduce((most, { length }) => Math.max(most, length), 0);
  }

  /** The sequences `indices`, with shared blocks. */
  share(indices: readonly number[]): KeySequences {
    const list = indices.map((index) => {
      const { length, blocks, evicted } = this.list[index]!;
      for (const block of blocks) block?.share();
      return { length, blocks: [...blocks], evicted };
    });
    return new KeySequences(this.runtime, this.blockBytes, list);
  }

  /**
   * Makes blocks to write the spans to: new ones, and copies of blocks with other users; `keep` or `undo` must follow. On failure
   * nothing has changed.
   * @throws {RangeError} not enough memory
   */
  makeRoom(operation: string, spans: readonly KeySpan[]): readonly MadeBlock[] {
    const made: MadeBlock[] = [];
    const leaving = new Map<Span, number>(); // users that get a copy instead
    try {
      for (const { sequence, first, end } of spans) {
        if (first === end) continue;
        for (let index = Math.floor(first / BLOCK); index * BLOCK < end; index++) {
          const replaced = sequence.blocks[index];
          const departed = replaced ? (leaving.get(replaced) ?? 0) : 0;
          if (replaced && replaced.users - departed === 1) continue;
          made.push({
            ...{ sequence, index, replaced },
            block: new Span(this.runtime, operation, this.blockBytes),
          });
          if (replaced) leaving.set(replaced, departed + 1);
        }
      }
    } catch (error) {
      for (const { block } of made) block.release();
      throw error;
    }
    for (const { sequence, index, block, replaced } of made) {
      if (replaced) this.runtime.memory.u8.copyWithin(block.ptr, replaced.ptr, replaced.ptr + this.blockBytes);
      sequence.blocks[index] = block;
    }
    return made;
  }

  /** Releases the blocks that were replaced. */
  keep(made: readonly MadeBlock[]): void {
    for (const { replaced } of made) replaced?.release();
  }

  /** Puts back the blocks that were replaced. */
  undo(made: readonly MadeBlock[]): void {
    for (const { sequence, index, block, replaced } of made) {
      if (replaced) sequence.blocks[index] = replaced;
      else sequence.blocks.length = Math.min(sequence.blocks.length, index);
      block.release();
    }
  }

  /** Truncates a sequence to `length` keys. */
  truncate(sequence: KeySequence, length: number): void {
    for (const block of sequence.blocks.splice(blocksOf(length))) block?.release();
    sequence.length = length;
  }

  /** Evicts the blocks whose keys are all from `sinkTokens` on and before `from`. */
  evict(sequence: KeySequence, sinkTokens: number, from: number): void {
    for (let index = Math.max(blocksOf(sinkTokens), sequence.evicted / BLOCK); (index + 1) * BLOCK <= from; index++) {
      sequence.blocks[index]?.release();
      sequence.blocks[index] = undefined;
      sequence.evicted = (index + 1) * BLOCK;
    }
  }

  /** Releases all blocks. */
  release(): void {
    for (const { blocks } of this.list.splice(0)) for (const block of blocks) block?.release();
  }
}
