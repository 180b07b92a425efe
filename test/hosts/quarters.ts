/**
 * Long tests of arithmetic, which take most of the suite's time. `HEADWISE_BROWSER_QUARTER` (1 to 4) names the quarter of them that runs
 * in Firefox and in WebKitGTK; without it all do. Chromium always runs the whole suite, and `npm run bits` every operation in each.
 */
export const QUARTERS: readonly (readonly string[])[] = [
  ["cacheWalk"],
  ["properties", "multiHeadProperties", "extremes", "softmax", "sequences"],
  ["parity", "maskOptions", "int8", "matmul", "kvCache"],
  ["linearAttention", "linearForms", "linearState", "linearConformance", "float16", "multiHeadAttention", "activate"],
];

/** Names of test files that do not run in Firefox and WebKitGTK now. */
export function leftOut(): string[] {
  const quarter = process.env["HEADWISE_BROWSER_QUARTER"];
  if (!quarter) return [];
  const index = Number(quarter) - 1;
  if (QUARTERS[index] === undefined) throw new Error(`HEADWISE_BROWSER_QUARTER must be 1 to ${QUARTERS.length}, got ${quarter}`);
  return QUARTERS.filter((_, other) => other !== index).flat();
}
