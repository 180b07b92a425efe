/**
 * The gaps between the spans of the arena, by address: a treap (Seidel & Aragon 1996) in which each gap knows the largest one below it,
 * so that all here takes steps logarithmic in the number of gaps.
 */

/** Bytes from `start` on that nobody has, and the trees of the gaps before and behind it. */
export interface Gap {
  readonly start: number;
  readonly bytes: number;
  /** No gap below has a higher one: priorities are random, so the tree is about as high as a balanced one. */
  readonly priority: number;
  readonly before: Gap | undefined;
  readonly behind: Gap | undefined;
  /** Bytes of the largest gap of this tree. */
  readonly largest: number;
}

export class Gaps {
  #tree: Gap | undefined;
  #random = 1;

  /** Adds a gap, which touches no other. */
  add(start: number, bytes: number): void {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0; // the same on every run
    const gap = withTrees({ start, bytes, priority: this.#random }, undefined, undefined);
    const [before, behind] = split(this.#tree, start);
    this.#tree = join(join(before, gap), behind);
  }

  /** Takes the gap that begins at `start` away. */
  remove(start: number): void {
    this.#tree = without(this.#tree, start);
  }

  /** For tests. */
  get tree(): Gap | undefined {
    return this.#tree;
  }

  /** The first gap of at least so many bytes. */
  firstOf(bytes: number): { readonly start: number; readonly bytes: number } | undefined {
    let gap = this.#tree;
    while (gap && gap.largest >= bytes) {
      if (gap.before && gap.before.largest >= bytes) gap = gap.before;
      else if (gap.bytes >= bytes) return gap;
      else gap = gap.behind;
    }
    return undefined;
  }
}

const withTrees = (
  { start, bytes, priority }: Pick<Gap, "start" | "bytes" | "priority">,
  before: Gap | undefined,
  behind: Gap | undefined,
): Gap => ({
  ...{ start, bytes, priority, before, behind },
  largest: Math.max(bytes, before?.largest ?? 0, behind?.largest ?? 0),
});

/** The gaps before `start`, and those from there on. */
function split(tree: Gap | undefined, start: number): [Gap | undefined, Gap | undefined] {
  if (!tree) return [undefined, undefined];
  if (tree.start < start) {
    const [near, far] = split(tree.behind, start);
    return [withTrees(tree, tree.before, near), far];
  }
  const [near, far] = split(tree.before, start);
  return [near, withTrees(tree, far, tree.behind)];
}

/** Two trees as one; all gaps of the first lie before those of the second. */
function join(before: Gap | undefined, behind: Gap | undefined): Gap | undefined {
  if (!before || !behind) return before ?? behind;
  return before.priority > behind.priority
    ? withTrees(before, before.before, join(before.behind, behind))
    : withTrees(behind, join(before, behind.before), behind.behind);
}

function without(tree: Gap | undefined, start: number): Gap | undefined {
  if (!tree) return undefined;
  if (tree.start === start) return join(tree.before, tree.behind);
  return start < tree.start
    ? withTrees(tree, without(tree.before, start), tree.behind)
    : withTrees(tree, tree.before, without(tree.behind, start));
}
