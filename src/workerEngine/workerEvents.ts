/** Messages and failures of a worker, for `worker_threads` and for the workers of browsers, Deno and Bun. */
import type { WorkerLike } from "../runtime/workerLike.js";

interface NodeEvents {
  on(event: string, listener: (value: unknown) => void): unknown;
}

interface WebEvents {
  addEventListener(event: string, listener: (event: { data?: unknown; message?: string }) => void): void;
}

const UNREADABLE = "it sent a message that cannot be read";

/** @param fail  called with the reason, if it is known */
export function listen(worker: WorkerLike, take: (message: unknown) => void, fail: (problem?: string) => void): void {
  const failed = (cause: unknown): void => fail((cause as { message?: string } | undefined)?.message);
  if ("on" in worker) {
    const node = worker as WorkerLike & NodeEvents;
    node.on("message", take);
    node.on("messageerror", () => fail(UNREADABLE));
    node.on("error", failed);
  } else {
    const web = worker as WorkerLike & WebEvents;
    web.addEventListener("message", ({ data }) => take(data));
    web.addEventListener("messageerror", () => fail(UNREADABLE));
    web.addEventListener("error", failed);
  }
}
