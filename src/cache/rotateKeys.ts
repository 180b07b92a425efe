/** Rotates keys of a cache by rotary embeddings, see keyRotation.ts. */
import type { Call } from "../call/call.js";
import { onScratch } from "../call/scratch.js";
import { counted, wrongValue } from "../check.js";
import { frequencyBytes, writeFrequencies } from "../rows/frequencies.js";
import { type HostAngles, readAngles } from "../rows/rotaryConfig.js";
import { wholeLines } from "../runtime/arena.js";
import type { ReadKeyRotation } from "./keyRotation.js";

/** The angles are proportional to positions: keys that move up by a distance are rotated back by the angles of that position. */
export const rotateKeys: ReadKeyRotation = (call, config, headDim) => {
  const { memory, kernels } = call.runtime;
  const angles = readAngles(call, config, headDim);
  const { rotaryStart, rotaryDim, isInterleaved } = angles;
  const pairs = rotaryDim / 2;
  return (distance) => {
    const rotation = rotationBy(call, angles, distance);
    return {
      bytes: wholeLines(4 * rotaryDim) + 4 * headDim,
      rotate: (rows, rowsPtr, scalesPtr, cos) => {
        memory.f32.set(rotation, cos >>> 2);
        const sizes = [rows, headDim, rotaryStart, pairs, Number(isInterleaved)] as const;
        kernels.rotateKeys(rowsPtr, scalesPtr, ...sizes, cos, cos + 4 * pairs, cos + wholeLines(4 * rotaryDim));
      },
    };
  };
};

/**
 * The cosines, then the sines, of a position. A common factor of both, as some tables have it, is not part of an angle.
 * @throws {RangeError} tables that are too short or hold no angle there, or not enough memory
 */
function rotationBy(call: Call, { tables, ...rotary }: HostAngles, distance: number): Float32Array {
  const { rotaryDim } = rotary;
  const pairs = rotaryDim / 2;
  const { kernels, memory } = call.runtime;
  let rotation = new Float32Array(rotaryDim);
  if (tables) {
    if (distance >= tables.positions) {
      const expected = `at least the ${distance} removed keys + 1 = ${distance + 1}`;
      throw wrongValue(call.operation, `"tables" hold ${counted(tables.positions, "position")}, expected ${expected}`);
    }
    const at = distance * pairs;
    rotation.set(tables.cos.subarray(at, at + pairs));
    rotation.set(tables.sin.subarray(at, at + pairs), pairs);
  } else {
    onScratch(call, [], wholeLines(4 * rotaryDim) + frequencyBytes(rotaryDim), (ptr) => {
      const frequencies = ptr + wholeLines(4 * rotaryDim);
      writeFrequencies(call.runtime, rotary, frequencies);
      kernels.rotaryRow(distance, frequencies, pairs, ptr, ptr + 4 * pairs);
      rotation = memory.f32.slice(ptr >>> 2, (ptr >>> 2) + rotaryDim);
    });
  }
  for (let pair = 0; pair < pairs; pair++) {
    const [cos, sin] = [rotation[pair]!, rotation[pairs + pair]!];
    const length = Math.sqrt(cos * cos + sin * sin);
    if (!(length > 0 && length < Infinity)) throw wrongValue(call.operation, `"tables" hold no angle at position ${distance}`);
    rotation[pair] = cos / length;
    rotation[pairs + pair] = sin / length;
  }
  return rotation;
}
