/** Options of the examples, by name: `--tokens 128`. */
import { parseArgs } from "node:util";

/** A mistake in how the program was started. */
export class UsageError extends Error {}

/**
 * Runs an example; a usage error prints the usage.
 *
 * @param name      of its folder
 * @param defaults  of its options: a number for options that are positive integers, a string for any text
 * @param main      receives the values
 */
export async function runExample(name, defaults, main) {
  const usage = `npm run example -- ${name} ${Object.entries(defaults)
    .map(([option, value]) => `[--${option} ${value === "" ? "…" : value}]`)
    .join(" ")}`;
  try {
    const values = readOptions(defaults);
    if (values) await main(values);
    else console.log(usage);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    process.exitCode = 2;
  }
}

function readOptions(defaults) {
  const entries = Object.entries(defaults);
  const options = Object.fromEntries(entries.map(([name, value]) => [name, { type: "string", default: String(value) }]));
  const values = parse({ ...options, help: { type: "boolean", default: false } });
  if (values.help) return undefined;
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === "number" ? integerOf(name, values[name]) : values[name]]),
  );
}

function parse(options) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function integerOf(name, text) {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new UsageError(`--${name} ${text}: not a positive integer`);
}
