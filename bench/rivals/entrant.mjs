/** A contestant on a number of threads, and the process in which it runs. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const worker = fileURLToPath(new URL("worker.mjs", import.meta.url));

/** An entrant that has not answered by then has hung. */
const PATIENCE_MS = 180_000;

export const labelOf = ({ name, threads }) => `${name}, ${threads === 1 ? "1 thread" : `${threads} threads`}`;

/** Starts the entrant on a shape; a failure of any kind rejects the pending request. */
export function start({ name, threads }, variant, shape, io) {
  const child = fork(worker, [JSON.stringify({ name, threads, variant, shape, io })], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"], // libraries print diagnostics
  });
  let pending;
  let printed = "";
  const settle = (how, value) => {
    clearTimeout(pending?.timer);
    pending?.[how](value);
    pending = undefined;
  };
  const fail = (text) => settle("reject", new Error(`failed: ${text.replace(/\s+/g, " ").trim().slice(0, 300)}`));
  child.stderr.on("data", (text) => (printed = (printed + text).slice(-300)));
  child.on("message", ({ answer, failure }) => (failure === undefined ? settle("resolve", answer) : fail(failure)));
  child.on("exit", (code, signal) => fail(`process ended (${signal ?? code}) ${printed}`));

  return {
    ask: (request, options = {}) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          fail(`no answer in ${PATIENCE_MS / 1000} s`);
          child.kill("SIGKILL");
        }, PATIENCE_MS);
        pending = { resolve, reject, timer };
        if (child.connected) child.send({ request, ...options });
        else fail(`process ended ${printed}`);
      }),
    /** Resolves once its memory and its cores are free again. */
    end: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", resolve);
        child.kill("SIGKILL");
      }),
  };
}
