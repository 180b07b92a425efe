/** Broadcasting: sizes are aligned to the right; an axis of size 1 serves every index of the other. */

/** Stride of each of `rank` axes in elements, for a dense tensor of sizes `dims`; 0 where it is broadcast. */
export function stridesUnder(dims: readonly number[], rank: number): number[] {
  const strides = new Array<number>(rank).fill(0);
  let stride = 1;
  for (let axis = rank - 1; axis >= rank - dims.length; axis--) {
    const size = dims[axis - rank + dims.length]!;
    if (size !== 1) strides[axis] = stride;
    stride *= size;
  }
  return strides;
}

/** The sizes to which all of these broadcast; undefined if they do not. */
export function broadcastDims(all: readonly (readonly number[])[]): number[] | undefined {
  const rank = all.reduce((most, dims) => Math.max(most, dims.length), 0);
  const full = new Array<number>(rank).fill(1);
  for (const dims of all) {
    for (const [index, size] of dims.entries()) {
      const axis = index + rank - dims.length;
      if (full[axis] === 1) full[axis] = size;
      else if (size !== 1 && size !== full[axis]) return undefined;
    }
  }
  return full;
}

/** One or more neighbouring axes as one, with a stride for each tensor. */
export interface MergedAxis {
  readonly size: number;
  readonly strides: readonly number[];
}

/**
 * The axes of sizes `dims`, none 0, under the strides of some tensors: without those of size 1, and with neighbours merged that all
 * of the tensors pass as one. At least one axis remains.
 */
export function mergedAxes(dims: readonly number[], all: readonly (readonly number[])[]): MergedAxis[] {
  const merged: MergedAxis[] = []; // innermost first
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const size = dims[axis]!;
    if (size === 1) continue;
    const strides = all.map((each) => each[axis]!);
    const inner = merged.at(-1);
    if (inner && strides.every((stride, index) => stride === inner.size * inner.strides[index]!)) {
      merged[merged.length - 1] = { size: size * inner.size, strides: inner.strides };
    } else merged.push({ size, strides });
  }
  return merged.length > 0 ? merged.reverse() : [{ size: 1, strides: all.map(() => 0) }];
}

/** Calls `visit` for each row of the last axis: the index of its first element, and that element's offset under the strides. */
export function eachRow(
  dims: readonly number[],
  strides: readonly number[],
  visit: (first: number, offset: number, length: number, step: number) => void,
): void {
  const last = dims.length - 1;
  const length = dims[last] ?? 1;
  const count = dims.reduce((product, size) => product * size, 1);
  const at = new Array<number>(dims.length).fill(0);
  for (let first = 0, offset = 0; first < count; first += length) {
    visit(first, offset, length, strides[last] ?? 0);
    for (let axis = last - 1; axis >= 0; axis--) {
      at[axis]!++;
      offset += strides[axis]!;
      if (at[axis]! < dims[axis]!) break;
      offset -= strides[axis]! * dims[axis]!;
      at[axis] = 0;
    }
  }
}

/** The offset of element `index`, counted in order, of sizes `dims` under the strides. */
export function offsetAt(index: number, dims: readonly number[], strides: readonly number[]): number {
  let offset = 0;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const size = dims[axis]!;
    offset += (index % size) * strides[axis]!;
    index = Math.floor(index / size);
  }
  return offset;
}
