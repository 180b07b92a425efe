/** What definitions read and return. */

/** Numbers and their sizes. */
export interface ReferenceTensor {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}

/** The result of a definition. */
export interface ReferenceResult {
  readonly data: Float64Array;
  readonly dims: readonly number[];
}

/** The caller's place for a result. */
export interface Place {
  readonly data: { [index: number]: number };
  readonly dims: readonly number[];
}
