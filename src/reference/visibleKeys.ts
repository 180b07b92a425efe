/** Which keys a row sees. */
import type { ReferenceOptions } from "./attentionOptions.js";
import { broadcast } from "./broadcast.js";

/** The sequence of a row, and the row's position in it. */
export type RowSequence = ReturnType<typeof sequenceOf>;

/** The number of row `i`'s sequence, its keys, the end of its rows, and the row's position; a key's position is its index. */
export function sequenceOf(
  { cuSeqlensQ, cuSeqlensK = cuSeqlensQ, ...options }: ReferenceOptions,
  b: number,
  i: number,
  seqLen: number,
  kvLen: number,
) {
  let index = b;
  let [queryStart, queryEnd, origin] = [0, options.queryLengths?.[b] ?? seqLen, 0];
  let [keyStart, keyEnd, lastKey] = [options.keyStarts?.[b] ?? 0, options.keyLengths?.[b] ?? kvLen, kvLen - 1];
  if (cuSeqlensQ) {
    index = 0;
    while (cuSeqlensQ[index + 1]! <= i) index++;
    [queryStart, queryEnd] = [cuSeqlensQ[index]!, cuSeqlensQ[index + 1]!];
    [keyStart, keyEnd] = [cuSeqlensK![index]!, cuSeqlensK![index + 1]!];
    [origin, lastKey] = [keyStart, keyEnd - 1]; // positions count from there
  }
  const { queryOffset = options.causal === "upper-left" ? 0 : keyEnd - origin - (queryEnd - queryStart) } = options;
  const position = origin + i - queryStart + (typeof queryOffset === "number" ? queryOffset : queryOffset[index]!);
  return { index, queryEnd, keyStart, keyEnd, lastKey, position };
}

/** Whether row i of head h sees key j, by the options. */
export function seesKey(
  options: ReferenceOptions,
  { queryEnd, keyStart, keyEnd, position }: RowSequence,
  [b, h, i, j]: readonly [number, number, number, number],
  kvLen: number,
): boolean {
  const { causal = false, mask, maskStart = 0, keyMask, window = -1, sinkTokens = 0 } = options;
  const [left = -1, right = -1] = typeof window === "number" ? [window, window] : window;
  const masked = typeof maskStart === "number" ? maskStart : maskStart[b]!;
  return (
    i < queryEnd &&
    j >= keyStart &&
    j < keyEnd &&
    !(causal && j > position) &&
    (j < masked || broadcast(mask, b, h, i, j - masked, 1, 0) !== 0) &&
    keyMask?.data[b * kvLen + j] !== 0 &&
    (((left < 0 || j >= position - left) && (right < 0 || j <= position + right)) || j < keyStart + sinkTokens)
  );
}
