/** Errors and texts of the sources that no message of `messages.txt` shows, by a part of their text, and why. */
export const UNREACHED: Readonly<Record<string, string>> = {};
