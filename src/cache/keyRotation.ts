/**
 * The rotation of keys that move to earlier positions. Engines with rotary embeddings offer it for their caches, so that pages that need
 * attention alone do not download it.
 */
import type { Call } from "../call/call.js";
import { wrongValue } from "../check.js";
import type { RotaryConfig } from "../rows/rotaryConfig.js";
import type { Runtime } from "../runtime/runtime.js";

/** Rotates keys back over a number of positions. */
export interface KeyRotation {
  /** Bytes of scratch that it needs. */
  readonly bytes: number;
  /** Rotates rows [rows, headDim] of float32 in place, or of int8, which have scales [rows]. */
  rotate(rows: number, rowsPtr: number, scalesPtr: number, scratch: number): void;
}

/** Reads how keys were rotated; gives their rotation back over a distance. */
export type ReadKeyRotation = (call: Call, config: RotaryConfig, headDim: number) => (distance: number) => KeyRotation;

const offers = new WeakMap<Runtime, ReadKeyRotation>();

/** Offers the rotation to the caches of an engine. */
export const offerKeyRotation = (runtime: Runtime, read: ReadKeyRotation): unknown => offers.set(runtime, read);

/** @throws {RangeError} an engine without rotary embeddings */
export function readKeyRotation(call: Call, config: RotaryConfig, headDim: number): ReturnType<ReadKeyRotation> {
  const read = offers.get(call.runtime);
  if (!read) throw wrongValue(call.operation, '"rotary" needs an engine of "headwise"');
  return read(call, config, headDim);
}
