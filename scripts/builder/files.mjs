/** Files as the builder sees them: what lies in a folder, what a source imports, and writing so that nobody reads half of it. */
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

/** A name beside `path` that is this process's own. */
export const beside = (path) => `${path}.${process.pid}.new`;

/** Removes what a process that was killed has left under names of its own. */
export function removeUnfinished(folder) {
  for (const name of readdirSync(folder))
    if (/\.\d+\.new$/.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** Whoever reads the file meanwhile gets the old or the new text, whole. */
export function writeAtomically(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(beside(path), text);
  renameSync(beside(path), path);
}

/** Puts the folder `from` in the place of `to`, which is as good as at once. */
export function replaceFolder(from, to) {
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}

// Statements and calls alike, in comments too: a file too many costs a compilation, one too few a wrong result.
const IMPORTS = /\b(?:from|import)\s*\(?\s*(["'])([^"'\n]+)\1/g;

/** The files that a relative import may mean, in the order in which the compilers look for them. */
const candidates = (path) => {
  const bare = path.replace(/\.(js|ts)$/, "");
  return [`${bare}.ts`, `${bare}/index.ts`];
};

/**
 * The entries and all files that they import by relative paths, directly or not. Where an import finds nothing, the files that it
 * may mean are among them: once one of them exists, something has changed.
 */
export function withImports(root, entries) {
  const found = new Set(entries);
  // A set also visits what is added meanwhile.
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
      // Up to the one that exists: a file that is added before it would be taken in its place.
      for (const candidate of candidates(posix.join(posix.dirname(file), path))) {
        found.add(candidate);
        if (existsSync(join(root, candidate))) break;
      }
    }
  }
  return [...found];
}
