/** The options of the command line. */
import { parseArgs } from "node:util";
import { ACCURACY_SHAPES } from "./accuracy.mjs";
import { CONTESTANTS } from "./contestants.mjs";
import { kindOf, KINDS, shapesOf } from "./kinds.mjs";

export const USAGE = `npm run bench -- rivals [options]

  --kind LIST          ${KINDS.map(({ name }) => name).join(", ")}, several with commas between, or all;
                       default: attention
  --only TEXT          shapes whose name contains the text, or one of several with commas between, such as "1024" or "causal";
                       without --kind, if no shape of attention matches, those of other kinds, such as "softmax" or "layer 512"
  --contestants TEXT   those whose name contains the text, or one of several with commas between: "headwise,web"
  --threads 1|2        default: both
  --io copy|resident   arrays in and out at each call, or inputs and result in the library's memory;
                       default: copy for attention of up to 32 rows, resident for the others
  --rounds N           rounds in which all are timed; with --cold, processes of each; default 7
  --limit SECONDS      contestants whose calls take longer are skipped; default 5
  --cold               instead: milliseconds from just before the import to the first result of 12×128×64
  --accuracy           instead: errors of matrix products by their depth, of headwise and onnxruntime unless --contestants names
                       others
  --json FILE          also write everything that was measured
  --help               this text`;

const [ATTENTION] = KINDS;
const COLD_SHAPE = shapesOf(ATTENTION).find(({ name }) => name === "12×128×64 full");

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

const kindsOf = (text) =>
  text.split(",").flatMap((wanted) => {
    const kinds = KINDS.filter(({ name }) => wanted === "all" || name === wanted);
    if (kinds.length > 0) return kinds;
    throw new TypeError(`--kind ${wanted}: not ${[...KINDS.map(({ name }) => name), "all"].join(", ")}`);
  });

function shapesIn(kind, only) {
  if (kind !== undefined) return matching("only", only, [...new Set(kindsOf(kind))].flatMap(shapesOf));
  const attention = shapesOf(ATTENTION);
  const shapes = only.split(",").flatMap((part) => {
    const isOfAttention = attention.some(({ name }) => name.includes(part));
    return matching("only", part, isOfAttention ? attention : KINDS.flatMap(shapesOf));
  });
  return [...new Map(shapes.map((shape) => [shape.name, shape])).values()];
}

/** @throws {TypeError} an argument is wrong */
export function readOptions() {
  const { values } = parseArgs({
    options: {
      kind: { type: "string" },
      only: { type: "string", default: "" },
      contestants: { type: "string", default: "" },
      threads: { type: "string" },
      io: { type: "string" },
      rounds: { type: "string", default: "7" },
      limit: { type: "string", default: "5" },
      cold: { type: "boolean", default: false },
      accuracy: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { cold, accuracy, help, json, kind } = values;
  if (accuracy && (cold || kind !== undefined)) throw new TypeError("--accuracy: of products only, without --cold or --kind");
  if (cold && (kind ?? "attention") !== "attention") throw new TypeError(`--cold: of attention only, not of --kind ${kind}`);
  const threads = accuracy ? "1" : oneOf("threads", values.threads, ["1", "2"]);
  const io = oneOf("io", values.io, ["copy", "resident"]);
  const shapes = cold ? [COLD_SHAPE] : accuracy ? matching("only", values.only, ACCURACY_SHAPES) : shapesIn(kind, values.only);
  const contestants = accuracy && values.contestants === "" ? "headwise,onnxruntime" : values.contestants;
  const entrants = matching("contestants", contestants, CONTESTANTS).flatMap((contestant) =>
    contestant.threads
      .filter((count) => threads === undefined || count === Number(threads))
      .map((count) => ({ ...contestant, threads: count })),
  );
  if (entrants.length === 0)
    throw new TypeError(`--threads ${threads}: none of --contestants ${values.contestants} runs on as many`);
  const ioOf = (shape) => io ?? (cold ? "copy" : kindOf(shape).ioOf(shape));
  const rounds = positive("rounds", values.rounds, Number.isInteger);
  const limit = 1000 * positive("limit", values.limit, Number.isFinite);
  return { shapes, entrants, ioOf, rounds, limit, cold, accuracy, json, help };
}
