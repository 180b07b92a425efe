/** Sharing out what takes too long for every commit. */

/**
 * @param {string} text  like "2/5": every fifth, from the second on
 * @returns {((index: number) => boolean) | undefined}  whether the share has the element of a list; undefined for any other text
 */
export function readShare(text) {
  const [, part, parts] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  return part >= 1 && part <= parts ? (index) => index % parts === part - 1 : undefined;
}
