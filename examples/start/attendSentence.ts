/** Six tokens attend to each other: outputs, weights as a heatmap, and the distance from the published numbers. */
import { styleText } from "node:util";
import type { Engine } from "headwise";
import { scaledDotProductAttention as reference } from "headwise/reference";
import { SENTENCE } from "./sentence.js";

/** The published numbers have ten digits; float32 has seven. */
const BOUND = 1e-6;

const tensor = (rows: readonly (readonly number[])[]) => ({
  data: Float32Array.from(rows.flat()),
  dims: [rows.length, rows[0]!.length],
});

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((largest, value, index) => {
    const difference = Math.abs(value - b[index]!);
    return difference <= largest ? largest : Number.isNaN(difference) ? Infinity : difference;
  }, 0);

/** Prints all of this; returns whether every error is within the bound. */
export function attendSentence(engine: Engine): boolean {
  const { tokens } = SENTENCE;
  const count = tokens.length;
  const [q, k, v] = [tensor(SENTENCE.queries), tensor(SENTENCE.keys), tensor(SENTENCE.values)];
  const weights = { data: new Float32Array(count * count), dims: [count, count] };
  const out = engine.scaledDotProductAttention(q, k, v, { weights });
  const causal = engine.scaledDotProductAttention(q, k, v, { causal: true });

  console.log(`"${tokens.join(" ")} mat.": each token's output, softmax(q·kᵀ / √3) · v`);
  for (const [i, token] of tokens.entries()) {
    const numbers = Array.from(out.data.subarray(3 * i, 3 * i + 3), (value) => value.toFixed(7).padStart(11));
    console.log(`  ${token.padEnd(9)}${numbers.join("")}`);
  }

  console.log("\nattention weights, row: the token that attends, column: the token attended to (darker is more)");
  printHeatmap(tokens, weights.data);

  const errors = {
    "against the reference (float64)": Math.max(
      largestDifference(out.data, reference(q, k, v).data),
      largestDifference(causal.data, reference(q, k, v, { causal: true }).data),
    ),
    "against the published numbers": Math.max(
      largestDifference(out.data, SENTENCE.outputs.flat()),
      largestDifference(causal.data.subarray(0, 15), SENTENCE.causalOutputs.flat()),
      largestDifference(weights.data.subarray(18, 24), SENTENCE.weightsOfSitting),
    ),
  };
  console.log(`\nlargest error, full and causal (bound ${BOUND.toExponential(0)})`);
  for (const [name, error] of Object.entries(errors)) console.log(`  ${name.padEnd(33)}${error.toExponential(1)}`);
  console.log();
  return Object.values(errors).every((error) => error <= BOUND);
}

const SHADES = ["  ", "░░", "▒▒", "▓▓", "██"];

/** A square of shades, from the smallest weight to the largest, which also works without colours. */
function printHeatmap(tokens: readonly string[], weights: Float32Array): void {
  const [least, most] = [Math.min(...weights), Math.max(...weights)];
  const label = Math.max(...tokens.map(({ length }) => length)) + 1;
  console.log(
    " ".repeat(label + 2) +
      tokens
        .map((token) => token.padEnd(11))
        .join("")
        .trimEnd(),
  );
  for (const [i, token] of tokens.entries()) {
    const cells = tokens.map((_, j) => {
      const weight = weights[i * tokens.length + j]!;
      const level = Math.min(SHADES.length - 1, Math.floor(((weight - least) / (most - least)) * SHADES.length));
      const shade = SHADES[level]!;
      return `${process.stdout.isTTY ? styleText("cyan", shade) : shade} ${weight.toFixed(4)}  `;
    });
    console.log(`  ${token.padEnd(label)}${cells.join("").trimEnd()}`);
  }
}
