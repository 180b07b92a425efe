/** A caller's options: read once, without those that are absent, and with advice about names that are not ours. */
import { describe, isAbsent, isArray, isObject, wrongKind } from "../check.js";

/**
 * Names that other libraries have, or parts of them, in lower case without "_", by what answers them: an option, then a remark after
 * a comma; or a sentence, where there is none. A name that contains that of an option needs no line.
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

/** Options without null, which counts as absent; the object is the call's own. */
export type Given<T> = { -readonly [Name in keyof T]: Exclude<T[Name], null> };

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
  const list = options.length === 1 ? `the only ${kind} is ${options[0]}` : `the ${kind}s are ${options.join(", ")}`;
  const advice = nameHere(plain(name), options, foreign) ?? likeliest(plain(name), options) ?? list;
  return wrongKind(operation, `unknown ${kind} "${path}${name}"; ${advice}`);
}

/** A name as it is compared: `attn_mask` and `attnMask` are one. */
const plain = (name: string): string => name.replace(/[_-]/g, "").toLowerCase();

/** What a name of another library's is here. */
function nameHere(name: string, options: readonly string[], foreign: ForeignNames): string | undefined {
  const same = options.find((option) => plain(option) === name);
  if (same !== undefined) return `here it is "${same}"`;
  for (const [answer, parts] of Object.entries(foreign)) {
    if (!parts.split(" ").some((part) => (part.length < 3 ? name === part : name.includes(part)))) continue;
    const [, option, remark = ""] = /^(\w+)(,.*)?$/.exec(answer) ?? [];
    if (option === undefined) return answer;
    if (options.includes(option)) return `here it is "${option}"${remark}`;
  }
  return undefined;
}

/** The option that a name misses by a letter or two, or else the longest that it contains. */
function likeliest(name: string, options: readonly string[]): string | undefined {
  const most = name.length < 3 ? 0 : name.length < 5 ? 1 : 2;
  const contained = options.filter((option) => option.length > 3 && name.includes(plain(option)));
  const found =
    options.find((option) => isNear(name, plain(option), Math.min(1, most))) ??
    options.find((option) => isNear(name, plain(option), most)) ??
    contained.sort((one, other) => other.length - one.length)[0];
  return found && `did you mean "${found}"?`;
}

/** Whether one name becomes the other when at most `most` letters are inserted, left out or replaced. */
function isNear(one: string, other: string, most: number): boolean {
  if (one === other || most === 0) return one === other;
  let at = 0;
  while (one[at] === other[at]) at++;
  const rest = (name: string, from: number): string => name.slice(at + from);
  return [[1, 0], [0, 1], [1, 1]].some(([i, j]) => isNear(rest(one, i!), rest(other, j!), most - 1)); // prettier-ignore
}
