// Slopes of ALiBi. See scripts/breaks.mjs.

export default [
  {
    rule: "alibiSlopes: the first head of a power of two has 2^(−8 / n)",
    find: "powerOfHalf((8 * (h + 1)) / inFirst)",
    replace: "powerOfHalf((8 * h) / inFirst)",
    tests: ["alibiSlopes"],
  },
  {
    rule: "alibiSlopes: further heads have every other slope of twice as many",
    find: "(4 * (2 * (h - inFirst) + 1)) / inFirst",
    replace: "(4 * (h - inFirst + 1)) / inFirst",
    tests: ["alibiSlopes"],
  },
];
