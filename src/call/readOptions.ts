/** A caller's options: read once, without those that are absent, and with advice about names that are not ours. */
import { describe, isAbsent, isArray, isObject, wrongKind } from "../check.js";

/**
 * Names that other libraries have, in lower case without "_", by what answers them: an option, then a remark after a comma; or a
 * sentence, where there is none.
 */
export type ForeignNames = Readonly<Record<string, string>>;

export interface KnownOptions {
  /** The name of the operation in errors: `matmul`, `KVCache.attend`. */
  readonly name: string;
  /** Its options, in the order in which errors list them. */
  readonly options: readonly string[];
  /** What others call them. */
  readonly foreign?: ForeignNames | undefined;
}

/** Options without null, which counts as absent. */
export type Given<T> = { readonly [Name in keyof T]: Exclude<T[Name], null> };

/**
 * The options that are present. Each getter is read once.
 *
 * @param argument  their name in errors
 * @throws {TypeError} not an object, or an unknown option: a misspelt one would otherwise go unnoticed
 */
export function readOptions<T extends object>(known: KnownOptions, options: T | null | undefined, argument = "options"): Given<T> {
  const given: Record<string, unknown> = {};
  if (isAbsent(options)) return given as Given<T>;
  if (!isObject(options) || isArray(options)) {
    throw wrongKind(known.name, `"${argument}" must be an object, got ${describe(options)}`);
  }
  for (const name of Object.keys(options)) if (!known.options.includes(name)) throw unknownOption(known, name, argument);
  for (const name of known.options) {
    const value: unknown = (options as Readonly<Record<string, unknown>>)[name];
    if (!isAbsent(value)) given[name] = value;
  }
  return given as Given<T>;
}

function unknownOption({ name: operation, options, foreign = {} }: KnownOptions, name: string, argument: string): TypeError {
  const kind = argument === "parameters" ? "parameter" : "option";
  const path = argument === "options" || argument === "config" ? "" : `${argument}.`;
  const advice = nameHere(name, options, foreign) ?? misspelt(name, options) ?? `the ${kind}s are ${options.join(", ")}`;
  return wrongKind(operation, `unknown ${kind} "${path}${name}"; ${advice}`);
}

/** A name as it is compared: `attn_mask` and `attnMask` are one. */
const plain = (name: string): string => name.replace(/[_-]/g, "").toLowerCase();

/** How a name of another library's is called here. */
function nameHere(name: string, options: readonly string[], foreign: ForeignNames): string | undefined {
  const wanted = plain(name);
  const same = options.find((option) => plain(option) === wanted);
  if (same !== undefined) return `here it is "${same}"`;
  for (const [answer, names] of Object.entries(foreign)) {
    if (!names.split(" ").includes(wanted)) continue;
    const [, option, remark = ""] = /^(\w+)(,.*)?$/.exec(answer) ?? [];
    if (option === undefined) return answer;
    if (options.includes(option)) return `here it is "${option}"${remark}`;
  }
  return undefined;
}

/** The option that a name misses by a letter or two. */
function misspelt(name: string, options: readonly string[]): string | undefined {
  const wanted = plain(name);
  let least = wanted.length > 4 ? 3 : 2;
  let nearest: string | undefined;
  for (const option of options) {
    const distance = distanceOf(wanted, plain(option));
    if (distance < least) [least, nearest] = [distance, option];
  }
  return nearest && `did you mean "${nearest}"?`;
}

/** How many letters to insert, to leave out, to replace or to swap with their neighbours lead from one name to the other. */
function distanceOf(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + Number(a[i - 1] !== b[j - 1]);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? rows[i - 2]![j - 2]! + 1 : Infinity;
      row.push(Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, replaced, swapped));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
