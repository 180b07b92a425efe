/**
 * The gaps between the spans of the arena, by address: a treap (Seidel & Aragon 1996) in which each gap knows the largest one below it,
 * so that every method takes a number of steps logarithmic in the number of gaps.
 */

/** Free bytes from `start` on, and the trees of the gaps before and behind it. */
export interface Gap {
  readonly start: number;
  readonly bytes: number;
  /** No gap below has a higher one: priorities are random, so the tree is about as high as a balanced one. */
  readonly priority: number;
  before: Gap | undefined;
  behind: Gap | undefined;
  /** Bytes of the largest gap of this tree. */
  largest: number;
}

export class Gaps {
  #tree: Gap | undefined;
  #random = 1;

  /** Adds a gap, which touches no other. */
  add(start: number, bytes: number): void {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0; // the same on every run
    const gap = { start, bytes, priority: this.#random, before: undefined, behind: undefined, largest: bytes };
    this.#tree = withGap(this.#tree, gap);
  }

  /** Removes the gap that begins at `start`. */
  remove(start: number): void {
    this.#tree = withoutGap(this.#tree, start);
  }

  /** The first gap of at least `bytes` bytes. */
  firstOf(bytes: number): Pick<Gap, "start" | "bytes"> | undefined {
    let gap = this.#tree;
    while (gap && gap.largest >= bytes) {
      if (gap.before && gap.before.largest >= bytes) gap = gap.before;
      else if (gap.bytes >= bytes) return gap;
      else gap = gap.behind;
    }
    return undefined;
  }

  /** For tests. */
  get tree(): Gap | undefined {
    return this.#tree;
  }
}

/** The gap, updated after its trees have changed. */
function updated(gap: Gap): Gap {
  gap.largest = Math.max(gap.bytes, gap.before?.largest ?? 0, gap.behind?.largest ?? 0);
  return gap;
}

function withGap(tree: Gap | undefined, gap: Gap): Gap {
  if (!tree || gap.priority > tree.priority) {
    [gap.before, gap.behind] = split(tree, gap.start);
    return updated(gap);
  }
  if (gap.start < tree.start) tree.before = withGap(tree.before, gap);
  else tree.behind = withGap(tree.behind, gap);
  return updated(tree);
}

function withoutGap(tree: Gap | undefined, start: number): Gap | undefined {
  if (!tree) return undefined;
  if (tree.start === start) return join(tree.before, tree.behind);
  if (start < tree.start) tree.before = withoutGap(tree.before, start);
  else tree.behind = withoutGap(tree.behind, start);
  return updated(tree);
}

/** The gaps before `start`, and those behind it. */
function split(tree: Gap | undefined, start: number): [Gap | undefined, Gap | undefined] {
  if (!tree) return [undefined, undefined];
  if (tree.start < start) {
    const [near, far] = split(tree.behind, start);
    tree.behind = near;
    return [updated(tree), far];
  }
  const [near, far] = split(tree.before, start);
  tree.before = far;
  return [near, updated(tree)];
}

/** Two trees as one; all gaps of the first lie before those of the second. */
function join(before: Gap | undefined, behind: Gap | undefined): Gap | undefined {
  if (!before || !behind) return before ?? behind;
  if (before.priority > behind.priority) {
    before.behind = join(before.behind, behind);
    return updated(before);
  }
  behind.before = join(before, behind.before);
  return updated(behind);
}
