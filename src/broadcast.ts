/** Broadcasting: sizes aligned to the right, an axis of 1 serves every index of the other. */

/** Elements from one index of each axis to the next, of a dense tensor of sizes `dims` under `rank` axes; 0 where it is broadcast. */
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
