/** Sharing out what takes too long for every commit. */

/**
 * @param {string} text  like "2/5": every fifth, from the second on
 * @returns {((index: number, count?: number) => boolean) | undefined}  whether the share has the element of a list, of which there may be
 *   fewer than shares (`count`): then some are in several shares, so that no share is empty; undefined for any other text
 */
export function readShare(text) {
  const [, part, parts] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (!(part >= 1 && part <= parts)) return undefined;
  return (index, count = parts) => index % parts === (part - 1) % Math.min(parts, count);
}
