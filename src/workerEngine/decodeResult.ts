/** Decodes the result of a call for the caller: new arrays, the caller's own places, and objects that stay in the worker. */
import type { EncodedCall } from "./encodeCall.js";
import type { Encoded } from "./messages.js";
import type { ClassName } from "./methods.js";

const ARRAYS = { Float32Array, Uint8Array };

/** @param make  makes the caller's side of a new object */
export function decodeResult(
  result: Encoded,
  buffers: readonly ArrayBuffer[],
  { member, remotes, given }: EncodedCall,
  make: (type: ClassName, id: number, facts: readonly (readonly [string, unknown])[]) => object,
): unknown {
  const decode = (value: Encoded): unknown => {
    if (typeof value !== "object" || value === null) return value;
    switch (value.kind) {
      case "array":
        return new ARRAYS[value.type as keyof typeof ARRAYS](buffers[value.buffer]!, value.offset, value.length);
      case "list":
        return value.items.map(decode);
      case "object":
        return Object.fromEntries(value.entries.map(([name, each]) => [name, decode(each)]));
      case "given":
        return given[value.given];
      case "remote": {
        const facts = (value.facts ?? []).map(([name, each]) => [name, decode(each)] as const);
        return remotes.get(value.id) ?? make(member.makes!, value.id, facts);
      }
      default:
        return undefined; // only in calls
    }
  };
  return decode(result);
}
