/** A worker's connection to the thread that started it, for `worker_threads` and for the workers of browsers, Deno and Bun. */
import { nodeProcess } from "./nodeProcess.js";

/** For use within a worker. */
export interface Port {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Ends the worker once it is idle. */
  close(): void;
}

interface Scope {
  WorkerGlobalScope?: unknown;
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  close(): void;
}

/** Opens the port; from now on `take` receives its messages. */
export function openPort(take: (message: unknown) => void): Port {
  const scope = globalThis as unknown as Scope;
  if (typeof scope.WorkerGlobalScope === "function") {
    scope.addEventListener("message", ({ data }) => take(data));
    return { post: (message, transfer = []) => scope.postMessage(message, transfer), close: () => scope.close() };
  }
  const port = nodeProcess()!.getBuiltinModule("node:worker_threads").parentPort!;
  port.on("message", take);
  return { post: (message, transfer = []) => port.postMessage(message, transfer), close: () => port.close() };
}
