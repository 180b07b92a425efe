/**
 * The builder's engine, independent of the steps: it runs those whose inputs or outputs have changed since they last succeeded.
 *
 * What a step reads and writes is identified by content alone, since reading all of it takes some tens of milliseconds: file times are
 * not trusted, a copied tree stays built, and an edit that is undone needs no build. A step's stamp, in build/stamps.json, is written
 * only after the step has succeeded, and is valid only as long as the outputs are what the step wrote.
 *
 * @typedef {object} Step
 * @property {string} name
 * @property {string} makes  what it makes from what, for a line of progress
 * @property {string[]} [needs]  names of steps before it in the list, whose outputs it reads
 * @property {() => string[]} inputs  files that it reads, relative to the root; a file that does not exist counts as missing
 * @property {() => unknown} [settings]  what else its outputs depend on, as JSON
 * @property {string[]} outputs  files that it writes; with a slash at the end, a folder that belongs to the step
 * @property {string} [notice]  printed once, before the first step that has it
 * @property {() => unknown} run  writes the outputs, or throws
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { isMissing, listFiles, removeUnfinished, writeAtomically } from "./files.mjs";
import { lock } from "./lock.mjs";

const STAMPS = "build/stamps.json";
/** Raised when the meaning of a stamp changes: stamps of another format are ignored. */
const FORMAT = 1;
/** How often a step runs if its inputs keep changing while it runs. */
const ATTEMPTS = 3;

function hashOf(path) {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  } catch (error) {
    if (isMissing(error)) return "missing";
    throw error;
  }
}

/** One hash for the names and the contents of files, and for settings. */
export function digest(root, files, settings = null) {
  const hash = createHash("sha256").update(JSON.stringify(settings));
  for (const file of [...new Set(files)].sort()) hash.update(`\n${file}\n${hashOf(join(root, file))}`);
  return hash.digest("hex");
}

function readStamps(root) {
  try {
    const { format, stamps } = JSON.parse(readFileSync(join(root, STAMPS), "utf8"));
    return format === FORMAT ? stamps : {};
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return {};
    throw error;
  }
}

/** The wanted steps and those that they need, in the order of the list. */
function select(steps, wanted) {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const found = new Set();
  const add = (name) => {
    const step = byName.get(name);
    if (!step) throw new TypeError(`there is no step "${name}"; the steps are ${[...byName.keys()].join(", ")}`);
    if (found.has(step)) return;
    found.add(step);
    step.needs?.forEach(add);
  };
  wanted.forEach(add);
  return steps.filter((step) => found.has(step));
}

/** Lets at most `count` pieces of work run at once, in the order in which they become ready. */
function slots(count) {
  const waiting = [];
  let free = count;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

/**
 * Brings the outputs of the wanted steps up to date, and returns the names of the steps that ran. Waits while another process builds
 * in the same folder. After the first failure no step is started; its error is thrown once the steps running in parallel have ended.
 *
 * @param {Step[]} steps  each after those that it needs
 * @param {string[]} wanted  names of steps
 * @param {{ root: string, jobs?: number, report?: (line: string) => void }} options
 * @returns {Promise<string[]>}
 */
export async function build(steps, wanted, { root, jobs = availableParallelism(), report = () => {} }) {
  const selected = select(steps, wanted);
  mkdirSync(join(root, "build"), { recursive: true });
  const unlock = await lock(join(root, "build/lock"), report);
  try {
    removeUnfinished(join(root, "build"));
    return await bring(selected, { root, jobs, report });
  } finally {
    unlock();
  }
}

async function bring(steps, { root, jobs, report }) {
  const stamps = readStamps(root);
  const save = () => writeAtomically(join(root, STAMPS), JSON.stringify({ format: FORMAT, stamps }, null, 1));
  const inputsOf = ({ inputs, settings }) => digest(root, inputs(), settings?.());
  const outputsOf = ({ outputs }) =>
    digest(
      root,
      outputs.flatMap((path) => (path.endsWith("/") ? listFiles(root, path.slice(0, -1)) : [path])),
    );
  const isMissingOutput = ({ outputs }) =>
    outputs.find((path) =>
      path.endsWith("/") ? listFiles(root, path.slice(0, -1)).length === 0 : hashOf(join(root, path)) === "missing",
    );

  const ran = [];
  const noticed = new Set();
  let failure;

  async function run(step) {
    let before = inputsOf(step);
    const stamp = stamps[step.name];
    if (stamp?.inputs === before && stamp.outputs === outputsOf(step)) return;
    if (step.notice && !noticed.has(step.notice)) {
      noticed.add(step.notice);
      report(step.notice);
    }
    ran.push(step.name);
    if (stamp) {
      delete stamps[step.name];
      save();
    }
    const start = performance.now();
    for (let attempt = 1; ; attempt++) {
      await step.run();
      const after = inputsOf(step);
      if (after === before) break;
      if (attempt === ATTEMPTS) throw new Error(`${step.name}: its inputs changed each of the ${ATTEMPTS} times that it ran`);
      before = after;
    }
    const missing = isMissingOutput(step);
    if (missing) throw new Error(`${step.name} did not write ${missing}`);
    stamps[step.name] = { inputs: before, outputs: outputsOf(step) };
    save();
    report(`${step.makes} … ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }

  const inSlot = slots(jobs);
  const done = new Map();
  for (const step of steps) {
    const needed = (step.needs ?? []).map((name) => {
      if (!done.has(name)) throw new TypeError(`${step.name} needs ${name}, which is not listed before it`);
      return done.get(name);
    });
    // Always resolves: steps that depend on this one check for a failure before they start.
    const end = Promise.all(needed).then(() =>
      inSlot(async () => {
        if (failure) return;
        try {
          await run(step);
        } catch (error) {
          failure ??= { error };
        }
      }),
    );
    done.set(step.name, end);
  }
  await Promise.all(done.values());
  if (failure) throw failure.error;
  return ran;
}
