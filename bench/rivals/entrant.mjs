/** A contestant on a number of threads, and the process in which it runs. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const worker = fileURLToPath(new URL("worker.mjs", import.meta.url));

/** Whoever has not answered by then has hung. */
const PATIENCE_MS = 180_000;

export const labelOf = ({ name, threads }) => `${name}, ${threads === 1 ? "1 thread" : `${threads} threads`}`;

/** Starts the entrant on a shape; a failure of any kind rejects the request that it hits. */
export function start({ name, threads }, shape, io) {
  const child = fork(worker, [JSON.stringify({ name, threads, shape, io })], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"], // libraries print what they find
  });
  let pending;
  let printed = "";
  const settle = (how, value) => {
    const { [how]: act, timer } = pending ?? {};
    pending = undefined;
    clearTimeout(timer);
    act?.(value);
  };
  child.stderr.on("data", (text) => (printed = (printed + text).slice(-300)));
  child.on("message", ({ answer, failure }) =>
    failure === undefined ? settle("resolve", answer) : settle("reject", new Error(failure)),
  );
  child.on("exit", (code, signal) => settle("reject", new Error(`process ended (${signal ?? code}) ${printed.trim()}`)));

  return {
    ask: (request, options = {}) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          settle("reject", new Error(`no answer in ${PATIENCE_MS / 1000} s`));
          child.kill("SIGKILL");
        }, PATIENCE_MS);
        pending = { resolve, reject, timer };
        if (child.connected) child.send({ request, ...options });
        else settle("reject", new Error(`process ended ${printed.trim()}`));
      }),
    /** Resolves when its memory and its cores are free again. */
    end: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", resolve);
        child.kill("SIGKILL");
      }),
  };
}
