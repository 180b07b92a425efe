// Sinusoidal position embeddings. See scripts/breaks.mjs.

export default [
  {
    rule: "sinusoidalPositions: sines are in even channels, cosines in odd ones",
    find: "data[2 * index] = sin.data[index]!;",
    replace: "data[2 * index] = cos.data[index]!;",
    tests: ["sinusoidalPositions"],
  },
  {
    rule: "sinusoidalPositions: frequencies are those of all channels",
    find: "{ length, rotaryDim: dim }",
    replace: "{ length, rotaryDim: dim, base: 1000 }",
    tests: ["sinusoidalPositions"],
  },
];
