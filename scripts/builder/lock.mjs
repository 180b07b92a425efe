/** One builder at a time per folder: a second one waits, and then finds most of its work done. */
import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isMissing } from "./files.mjs";

const POLL_MS = 100;
const BEAT_MS = 5_000;
/** A holder that has shown no sign of life for this long is dead. */
const DEAD_MS = 60_000;

/** @returns {boolean} whether this process now owns the file */
function create(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** The process that holds the lock, and whether it is dead; undefined once the lock is free. */
function holderOf(path) {
  try {
    const text = readFileSync(path, "utf8");
    const age = Date.now() - statSync(path).mtimeMs;
    // An empty file is about to be written.
    return { pid: text, isDead: age > DEAD_MS || (text !== "" && !isAlive(Number(text))) };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Removes the lock of a dead holder. Two at once would remove each other's, so this takes a second lock for the moment. */
function takeAway(path) {
  const moment = `${path}.dead`;
  if (!create(moment)) {
    if (holderOf(moment)?.isDead) rmSync(moment, { force: true });
    return;
  }
  try {
    if (holderOf(path)?.isDead) rmSync(path, { force: true });
  } finally {
    rmSync(moment, { force: true });
  }
}

/**
 * Waits for the lock, and reports it.
 *
 * @param {string} path  the lock file
 * @param {(line: string) => void} report
 * @returns {Promise<() => void>} releases it; so does the end of the process
 */
export async function lock(path, report) {
  let waitedFor;
  while (!create(path)) {
    const holder = holderOf(path);
    if (holder?.isDead) takeAway(path);
    else if (holder) {
      if (waitedFor === undefined) report(`waiting for process ${holder.pid}, which is building here`);
      waitedFor = holder.pid;
      await sleep(POLL_MS);
    }
  }
  const isOwn = () => holderOf(path)?.pid === String(process.pid);
  const beat = setInterval(() => isOwn() && utimesSync(path, new Date(), new Date()), BEAT_MS);
  beat.unref();
  const remove = () => isOwn() && rmSync(path, { force: true });
  process.once("exit", remove);
  return () => {
    clearInterval(beat);
    process.removeListener("exit", remove);
    remove();
  };
}
