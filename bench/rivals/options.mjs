/** What the command line says. */
import { parseArgs } from "node:util";
import { DECODE_ROWS, FORWARD, LONG, SMALL_CALLS } from "../../build/tools/bench/shapes.js";
import { CONTESTANTS } from "./contestants.mjs";

export const USAGE = `npm run bench:rivals -- [options]

  --only TEXT          shapes whose name contains the text, such as "1024" or "causal"
  --contestants TEXT   those whose name contains the text, or one of several with commas between: "headwise,web"
  --threads 1|2        default: both
  --io copy|resident   arrays in and out at each call, or inputs and result in the library's memory;
                       default: copy for the calls of up to 32 rows, resident for the others
  --rounds N           how often each one's turn comes; with --cold, how many processes; default 7
  --limit SECONDS      whose calls take longer is skipped; default 5
  --cold               instead: milliseconds from before the import to the first result of 12×128×64
  --json FILE          also write everything that was measured
  --help               this text`;

const SHAPES = [...SMALL_CALLS, ...FORWARD, ...LONG, ...DECODE_ROWS];
const COLD_SHAPE = FORWARD.find(({ name }) => name === "12×128×64 full");

const oneOf = (name, value, allowed) => {
  if (value === undefined || allowed.includes(value)) return value;
  throw new TypeError(`--${name} ${value}: not ${allowed.join(" or ")}`);
};
const positive = (name, text, isFine) => {
  const value = Number(text);
  if (value > 0 && isFine(value)) return value;
  throw new TypeError(`--${name} ${text}: not a positive ${isFine === Number.isInteger ? "integer" : "number"}`);
};
const matching = (option, text, all) => {
  const found = all.filter(({ name }) => text.split(",").some((part) => name.includes(part)));
  if (found.length > 0) return found;
  throw new TypeError(`--${option} ${text}: none has that in its name (${all.map(({ name }) => name).join(", ")})`);
};

/** @throws {TypeError} an argument is wrong */
export function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "" },
      contestants: { type: "string", default: "" },
      threads: { type: "string" },
      io: { type: "string" },
      rounds: { type: "string", default: "7" },
      limit: { type: "string", default: "5" },
      cold: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { cold, help, json } = values;
  const threads = oneOf("threads", values.threads, ["1", "2"]);
  const io = oneOf("io", values.io, ["copy", "resident"]);
  const shapes = cold ? [COLD_SHAPE] : matching("only", values.only, SHAPES);
  const entrants = matching("contestants", values.contestants, CONTESTANTS).flatMap((contestant) =>
    contestant.threads
      .filter((count) => threads === undefined || count === Number(threads))
      .map((count) => ({ ...contestant, threads: count })),
  );
  if (entrants.length === 0)
    throw new TypeError(`--threads ${threads}: none of --contestants ${values.contestants} runs on as many`);
  const ioOf = (shape) => io ?? (cold || SMALL_CALLS.includes(shape) ? "copy" : "resident");
  const rounds = positive("rounds", values.rounds, Number.isInteger);
  const limit = 1000 * positive("limit", values.limit, Number.isFinite);
  return { shapes, entrants, ioOf, rounds, limit, cold, json, help };
}
