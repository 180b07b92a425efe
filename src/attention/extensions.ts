/**
 * Options of attention that only engines with every operation have. Those engines offer what reads them, so that pages that need
 * attention alone do not download it.
 */
import { isAbsent, wrongValue } from "../check.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Extra, Reading, ReadExtra } from "./extras.js";
import type { AttentionOptions } from "./options.js";

type OptionName = keyof AttentionOptions;

/** Options that are read together. */
export interface Extension {
  readonly options: readonly OptionName[];
  readonly read: ReadExtra;
}

const EXTENDED_OPTIONS: readonly string[] = [
  ...["relativeKeys", "contentBias", "positionBias"],
  ...["topKeys", "entropy", "largestWeight", "keyWeights", "weightsRange"],
];

const offers = new WeakMap<Runtime, readonly Extension[]>();

/** Offers extensions to the calls of an engine. */
export const offerExtensions = (runtime: Runtime, extensions: readonly Extension[]): unknown => offers.set(runtime, extensions);

/** @throws {RangeError} an option that the engine does not have */
export function readExtensions(reading: Reading): Extra[] {
  const { call, options } = reading;
  const isGiven = (name: OptionName): boolean => !isAbsent(options[name as keyof typeof options]);
  // small calls notice lookups of names that nobody gave
  const asked = Object.keys(options).find((name) => EXTENDED_OPTIONS.includes(name) && isGiven(name as OptionName));
  if (asked === undefined) return [];
  const extensions = offers.get(call.runtime);
  if (!extensions) throw wrongValue(call.operation, `"${asked}" needs an engine of "headwise"`);
  const extras: Extra[] = [];
  for (const { options: names, read } of extensions) {
    const extra = names.some(isGiven) ? read(reading) : undefined;
    if (extra) extras.push(extra);
  }
  return extras;
}
