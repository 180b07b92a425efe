/** How exact products are as their depth grows: errors against float64, each contestant in its own process. Nothing is timed. */
import { variantsFor, versionOf } from "./contestants.mjs";
import { labelOf, start } from "./entrant.mjs";
import { truthOf } from "./kinds.mjs";
import { checkedError, rootMeanSquareError } from "./truth.mjs";

const DEPTHS = [256, 512, 1024, 2048, 4096];

/** Libraries cut sums in other places where the right-hand side is a constant, which they pack, and where there is one row. */
export const ACCURACY_SHAPES = [
  { rows: 256, columns: 256, bIsInput: false },
  { rows: 256, columns: 256, bIsInput: true },
  { rows: 1, columns: 1024, bIsInput: false },
  { rows: 1, columns: 1024, bIsInput: true },
].flatMap((sizes) =>
  DEPTHS.map((depth) => ({
    kind: "matmul",
    name: `${sizes.rows}×${depth}×${sizes.columns}${sizes.bIsInput ? " b fed" : ""}`,
    depth,
    ...sizes,
  })),
);

/** Returns rows, the most exact first, and the entrants that failed, with the reason. */
export async function accuracies(shape, entrants, { progress }) {
  const truth = truthOf(shape);
  const rows = [];
  const absent = [];
  for (const entrant of entrants) {
    progress(`${shape.name}: ${labelOf(entrant)}`);
    const [variant] = variantsFor(entrant, shape);
    const runner = start(entrant, variant, shape, shape.bIsInput ? "copy" : "resident");
    try {
      const { note, result } = await runner.ask("prepare");
      const error = checkedError(truth, result);
      const version = versionOf(entrant, variant, note);
      rows.push({ shape: shape.name, contestant: entrant.name, version, error, meanError: rootMeanSquareError(truth, result) });
    } catch ({ message }) {
      absent.push({ shape: shape.name, entrant: labelOf(entrant), reason: message });
    }
    await runner.end();
  }
  return { rows: rows.sort((a, b) => a.meanError - b.meanError), absent };
}
