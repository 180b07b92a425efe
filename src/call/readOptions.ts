/** A caller's options: read once, without those that are absent, and with advice about names that are not ours. */
import { describe, isAbsent, isArray, isObject, wrongKind } from "../check.js";

/**
 * Names that other libraries have, or parts of them, in lower case without "_", by what answers them: an option, then a remark after
 * a comma; or a sentence, where there is none. A part of fewer than four letters is a whole name.
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
  const own = Object.keys(options);
  for (const name of own) if (!known.options.includes(name)) throw unknownOption(known, name, argument);
  // small calls notice it when two dozen names are looked up that nobody gave
  const mayInherit = Object.getPrototypeOf(options) !== Object.prototype;
  for (const name of mayInherit ? known.options : own) {
    const value: unknown = (options as Readonly<Record<string, unknown>>)[name];
    if (!isAbsent(value)) given[name] = value;
  }
  return given as Given<T>;
}

function unknownOption({ name: operation, options, foreign = {} }: KnownOptions, name: string, argument: string): TypeError {
  const kind = argument === "parameters" ? "parameter" : "option";
  const path = argument === "options" || argument === "config" ? "" : `${argument}.`;
  const list = options.length === 1 ? `the only ${kind} is ${options[0]}` : `the ${kind}s are ${options.join(", ")}`;
  const advice = nameHere(plain(name), options, foreign) ?? list;
  return wrongKind(operation, `unknown ${kind} "${path}${name}"; ${advice}`);
}

/** A name as it is compared: `attn_mask` and `attnMask` are one. */
const plain = (name: string): string => name.replace(/[_-]/g, "").toLowerCase();

/** What a name stands for: ours, misspelt by a letter; another library's; ours within it, or misspelt by two; else undefined. */
function nameHere(name: string, options: readonly string[], foreign: ForeignNames): string | undefined {
  const ours = (isLike: (option: string) => boolean): string | undefined => {
    const found = options.find((option) => isLike(plain(option)));
    return found && (plain(found) === name ? `here it is "${found}"` : `did you mean "${found}"?`);
  };
  const near = (most: number): string | undefined => ours((option) => isNear(name, option, most));
  const letters = name.length < 3 ? 0 : name.length < 5 ? 1 : 2;
  return near(0) ?? near(Math.min(1, letters)) ?? longestWithin(name, options, foreign) ?? near(letters);
}

/** The answer to the longest part of a name, of those that others use and of our options. */
function longestWithin(name: string, options: readonly string[], foreign: ForeignNames): string | undefined {
  let longest = "";
  let found: string | undefined;
  const take = (part: string, answer: string): void => {
    if (part.length > longest.length) [longest, found] = [part, answer];
  };
  for (const [answer, parts] of Object.entries(foreign)) {
    const [, option, remark = ""] = /^(\w+)(,.*)?$/.exec(answer) ?? [];
    if (option !== undefined && !options.includes(option)) continue;
    for (const part of parts.split(" ")) {
      const isPart = part.length < 4 ? name === part : name.includes(part);
      if (isPart) take(part, option === undefined ? answer : `here it is "${option}"${remark}`);
    }
  }
  for (const option of options) if (option.length > 3 && name.includes(plain(option))) take(option, `did you mean "${option}"?`);
  return found;
}

/** Whether one name becomes the other when at most `most` letters are inserted, left out or replaced. */
function isNear(one: string, other: string, most: number): boolean {
  if (one === other || most === 0) return one === other;
  let at = 0;
  while (one[at] === other[at]) at++;
  const rest = (name: string, from: number): string => name.slice(at + from);
  return [[1, 0], [0, 1], [1, 1]].some(([i, j]) => isNear(rest(one, i!), rest(other, j!), most - 1)); // prettier-ignore
}
