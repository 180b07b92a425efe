/** Milliseconds from just before a library is imported to its first result, each time in a fresh process. */
import { summarise } from "../../build/tools/bench/measure.js";
import { variantsFor, versionOf } from "./contestants.mjs";
import { labelOf, start } from "./entrant.mjs";
import { truthOf } from "./kinds.mjs";
import { checkedError } from "./truth.mjs";

/** The entrants' processes alternate. Returns rows, fastest first, and the entrants that failed, with the reason. */
export async function coldStarts(shape, io, entrants, { rounds, progress }) {
  const truth = truthOf(shape);
  const rows = entrants.map((entrant) => ({ entrant, samples: [], error: 0 }));
  const absent = [];
  const failed = new Set();
  for (let round = 0; round < rounds; round++) {
    for (const row of rows.filter((row) => !failed.has(row))) {
      progress(`process ${round + 1} of ${rounds}: ${labelOf(row.entrant)}`);
      const [variant] = variantsFor(row.entrant, shape);
      const runner = start(row.entrant, variant, shape, io);
      try {
        const { cold, note, result } = await runner.ask("prepare");
        const error = checkedError(truth, result);
        row.samples.push(cold);
        row.error = Math.max(row.error, error);
        row.version = versionOf(row.entrant, variant, note);
      } catch ({ message }) {
        failed.add(row);
        absent.push({ shape: shape.name, entrant: labelOf(row.entrant), reason: message });
      }
      await runner.end();
    }
  }
  const timed = rows
    .filter((row) => !failed.has(row))
    .map(({ entrant: { name, threads }, version, error, samples }) => ({
      shape: shape.name,
      io,
      contestant: name,
      version,
      threads,
      timing: summarise(samples),
      error,
      samples,
    }))
    .sort((a, b) => a.timing.median - b.timing.median);
  return { rows: timed, absent };
}
