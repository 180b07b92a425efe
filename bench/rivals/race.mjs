/** All entrants on one shape: each is checked, then they alternate, so that other load on the machine affects all equally. */
import { setTimeout as sleep } from "node:timers/promises";
import { gigaPerSecond, summarise } from "../../build/tools/bench/measure.js";
import { variantsFor, versionOf } from "./contestants.mjs";
import { labelOf, start } from "./entrant.mjs";
import { kindOf, truthOf } from "./kinds.mjs";
import { checkedError } from "./truth.mjs";

/** With less, Node 20 was still running unoptimised code. */
const WARM_UP_MS = 1000;
const TURN_MS = 60;
/** A generous bound on how long threads spin after a call before they sleep: until then they occupy the next entrant's core. */
const SPIN_MS = 40;

/** Milliseconds of calls, by what determines their speed; used to predict later shapes. */
const paces = new Map();
const paceKey = (entrant, { kind, causal, kvLen }, io) => `${labelOf(entrant)} ${io} ${kind} ${causal} ${kvLen !== undefined}`;

/** Prepares one variant and checks it; throws the reason if it cannot take part. */
async function tryVariant(entrant, variant, shape, io, truth, limit) {
  const runner = start(entrant, variant, shape, io);
  try {
    const { firstCall, note, result } = await runner.ask("prepare");
    const error = checkedError(truth, result);
    if (firstCall > limit) throw new Error(`skipped: ${(firstCall / 1000).toFixed(1)} s a call`);
    const milliseconds = await runner.ask("warmUp", { milliseconds: WARM_UP_MS });
    return { entrant, runner, version: versionOf(entrant, variant, note), error, milliseconds, samples: [] };
  } catch (failure) {
    await runner.end();
    throw failure;
  }
}

/** The entrant's fastest variant, prepared; throws the reason if there is none. */
async function admit(entrant, shape, io, truth, limit) {
  const pace = paces.get(paceKey(entrant, shape, io));
  const predicted = pace && pace * kindOf(shape).workOf(shape);
  if (predicted > limit) throw new Error(`skipped: about ${(predicted / 1000).toFixed(1)} s a call, going by a shorter shape`);

  let best;
  let reason;
  for (const variant of variantsFor(entrant, shape)) {
    try {
      const tried = await tryVariant(entrant, variant, shape, io, truth, limit);
      const isBetter = !best || tried.milliseconds < best.milliseconds;
      await (isBetter ? best : tried)?.runner.end();
      if (isBetter) best = tried;
    } catch (failure) {
      reason ??= failure;
    }
  }
  if (!best) throw reason;
  paces.set(paceKey(entrant, shape, io), best.milliseconds / kindOf(shape).workOf(shape));
  return best;
}

/**
 * Runs the entrants on a shape.
 *
 * @param limit     milliseconds; entrants whose calls take longer are skipped
 * @param progress  called with a line of progress
 * @returns rows of the entrants that were timed, fastest first, and the others with the reason
 */
export async function race(shape, io, entrants, { rounds, limit, progress }) {
  const kind = kindOf(shape);
  const truth = truthOf(shape);
  const admitted = [];
  const absent = [];
  const leave = (entrant, { message }) => absent.push({ shape: shape.name, entrant: labelOf(entrant), reason: message });
  for (const entrant of entrants) {
    progress(`${shape.name}: ${labelOf(entrant)}`);
    try {
      admitted.push(await admit(entrant, shape, io, truth, limit));
    } catch (failure) {
      leave(entrant, failure);
    }
    if (entrant.threads > 1) await sleep(SPIN_MS);
  }

  const failed = new Set();
  for (let round = 0; round < rounds; round++) {
    for (const index of admitted.keys()) {
      const one = admitted[(index + round) % admitted.length];
      if (failed.has(one)) continue;
      progress(`${shape.name}: round ${round + 1} of ${rounds}, ${labelOf(one.entrant)}`);
      try {
        one.samples.push(...(await one.runner.ask("turn", { milliseconds: TURN_MS })));
      } catch (failure) {
        failed.add(one);
        leave(one.entrant, failure);
      }
      if (one.entrant.threads > 1) await sleep(SPIN_MS);
    }
  }
  await Promise.all(admitted.map(({ runner }) => runner.end()));

  const timed = admitted.filter((one) => !failed.has(one)).map((one) => ({ ...one, timing: summarise(one.samples) }));
  const rows = timed
    .map(({ entrant: { name, threads }, version, error, samples, timing }) => {
      const headwise = timed.find(({ entrant }) => entrant.name === "headwise" && entrant.threads === threads);
      return {
        shape: shape.name,
        io,
        contestant: name,
        version,
        threads,
        timing,
        [kind.rate]: gigaPerSecond(kind.workOf(shape), timing),
        ofHeadwise: headwise && timing.median / headwise.timing.median,
        error,
        samples,
      };
    })
    .sort((a, b) => a.timing.median - b.timing.median);
  return { rows, absent };
}
