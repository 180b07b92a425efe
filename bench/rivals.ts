/** The race of `bench/rivals`, which is JavaScript with its own packages, for sections that compare with other libraries. */
import { existsSync } from "node:fs";
import type { Timing } from "./measure.js";
import type { AttentionShape, MatmulShape } from "./shapes.js";

interface Entrant {
  readonly name: string;
  readonly threads: number;
}

/** One contestant on one number of threads. */
export interface RaceRow {
  readonly contestant: string;
  readonly version: string;
  readonly threads: number;
  readonly timing: Timing;
  readonly gigaflops: number;
  readonly error: number;
}

/** A shape of one of the kinds of `bench/rivals`. */
export type RaceShape = ({ readonly kind: "attention" } & AttentionShape) | ({ readonly kind: "matmul" } & MatmulShape);

interface Rivals {
  readonly CONTESTANTS: readonly { readonly name: string; readonly threads: readonly number[] }[];
  readonly race: (
    shape: RaceShape,
    io: "resident",
    entrants: readonly Entrant[],
    options: { rounds: number; limit: number; progress: (text: string) => void },
  ) => Promise<{ rows: readonly RaceRow[]; absent: readonly { entrant: string; reason: string }[] }>;
}

const ROUNDS = 5;
const LIMIT_MS = 5000;
const folder = new URL("../../../bench/rivals/", import.meta.url);

/** Prints how to install them if they are missing. */
export function areInstalled(): boolean {
  const installed = existsSync(new URL("node_modules", folder));
  if (!installed) console.log("without other libraries; npm ci --ignore-scripts --prefix bench/rivals installs them");
  return installed;
}

/** Times contestants on a shape, with inputs in their own memory; prints those that cannot take part, with the reason. */
export async function raceOn(
  shape: RaceShape,
  names: readonly string[],
  mostThreads: number,
  progress: (text: string) => void,
): Promise<readonly RaceRow[]> {
  const load = async (file: string): Promise<Partial<Rivals>> => (await import(new URL(file, folder).href)) as Partial<Rivals>;
  const { CONTESTANTS, race } = { ...(await load("contestants.mjs")), ...(await load("race.mjs")) } as Rivals;
  const entrants = CONTESTANTS.filter(({ name }) => names.includes(name)).flatMap((contestant) =>
    contestant.threads.filter((count) => count <= mostThreads).map((count) => ({ ...contestant, threads: count })),
  );
  const { rows, absent } = await race(shape, "resident", entrants, {
    rounds: ROUNDS,
    limit: LIMIT_MS,
    progress,
  });
  for (const { entrant, reason } of absent) console.log(`${shape.name}: ${entrant}: ${reason}`);
  return rows;
}
