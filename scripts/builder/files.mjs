/** Files as the builder sees them: the files of a folder, the imports of a source, and writing that is never seen half done. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

export const isMissing = (error) => error.code === "ENOENT" || error.code === "ENOTDIR";

/** Paths of all files under a folder, relative to the root, with slashes; none if there is no such folder. */
export function listFiles(root, folder) {
  let entries;
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  return entries.flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    return entry.isDirectory() ? listFiles(root, path) : [path];
  });
}

/** A name next to `path` that only this process uses. */
export const beside = (path) => `${path}.${process.pid}.new`;

/** Removes what a killed process has left under such names. */
export function removeUnfinished(folder) {
  for (const name of readdirSync(folder))
    if (/\.\d+\.new$/.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** A concurrent reader gets either the old or the new text, complete. */
export function writeAtomically(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(beside(path), text);
  renameSync(beside(path), path);
}

/** Replaces the folder `to` by `from`, almost atomically. */
export function replaceFolder(from, to) {
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}

// Both statements and calls, even in comments: a file too many costs a compilation, a file too few a wrong result.
const IMPORTS = /\b(?:from|import)\s*\(?\s*(["'])([^"'\n]+)\1/g;

/** The files that a relative import may refer to, in the order in which the compilers look for them. */
const candidates = (path) => {
  const bare = path.replace(/\.(js|ts)$/, "");
  return [`${bare}.ts`, `${bare}/index.ts`];
};

/**
 * The entries and all files that they import by relative paths, directly or indirectly. For an import that finds nothing, the files
 * that it may refer to are included: once one of them exists, something has changed.
 */
export function withImports(root, entries) {
  const found = new Set(entries);
  // Iterating over a set also visits what is added meanwhile.
  for (const file of found) {
    let text;
    try {
      text = readFileSync(join(root, file), "utf8");
    } catch (error) {
      if (isMissing(error)) continue;
      throw error;
    }
    for (const [, , path] of text.matchAll(IMPORTS)) {
      if (!path.startsWith(".")) continue;
      // Up to the one that exists: a file added earlier in the order would be used instead.
      for (const candidate of candidates(posix.join(posix.dirname(file), path))) {
        found.add(candidate);
        if (existsSync(join(root, candidate))) break;
      }
    }
  }
  return [...found];
}
