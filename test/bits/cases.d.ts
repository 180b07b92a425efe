/** Every case, as the bundle of `run.ts` finds them. */
declare module "#cases" {
  export const CASES: readonly import("./case.js").BitsCase[];
}
