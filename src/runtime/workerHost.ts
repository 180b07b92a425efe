/** The calling thread's side of a worker, the same for `worker_threads` and for the workers of browsers, Deno and Bun. */
import { describe } from "../check.js";
import type { WorkerAnswer } from "./job.js";
import { hasLocks, newLockName, whenFree } from "./locks.js";
import { nodeProcess } from "./nodeProcess.js";
import type { WorkerLike } from "./workerLike.js";

interface NodeWorker extends WorkerLike {
  on(event: "message", listener: (answer: WorkerAnswer) => void): unknown;
  on(event: "error" | "exit", listener: (cause: unknown) => void): unknown;
  unref(): void;
}

interface WebWorker extends WorkerLike {
  addEventListener(type: string, listener: (event: { data?: WorkerAnswer; message?: string }) => void): void;
}

/** Hosts without locks don't say when a worker has ended; it counts as ended this many milliseconds after `terminate`. */
const GRACE_MILLISECONDS = 1000;

const REFUSED =
  "the host refused its script; a Content-Security-Policy must allow worker-src blob:, or else createWorker can use a file";

/** Starts one of the packaged workers, from its source text, so that bundlers and servers need not know of a file. */
export function createPackagedWorker(source: string): WorkerLike {
  // Libraries for browsers (such as onnxruntime-web) make Node's own Worker global; it cannot take the URL of a blob.
  if (typeof Worker !== "function" || "on" in Worker.prototype) {
    const { Worker: NodeWorker } = nodeProcess()!.getBuiltinModule("node:worker_threads");
    return new NodeWorker(source, { eval: true, execArgv: [], name: "headwise" });
  }
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  // In a frame of opaque origin (a sandbox) Chromium refuses modules; Deno has no other workers.
  const type = (globalThis as { origin?: string }).origin === "null" ? "classic" : "module";
  const worker = new Worker(url, { type, name: "headwise" });
  // When the worker answers, it has been fetched. A timer instead would keep Deno and Bun running.
  for (const event of ["message", "error"]) worker.addEventListener(event, () => URL.revokeObjectURL(url), { once: true });
  return worker;
}

/** Why no worker could be made, with advice where that was refused. */
export function whyNotMade(error: unknown): string {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  return name === "SecurityError" ? `${REFUSED} (${message})` : message; // WebKit, where a policy forbids it
}

/** Whether this host has any kind of worker. */
export const hasWorkers = (): boolean => typeof Worker === "function" || nodeProcess() !== undefined;

export class WorkerHost {
  readonly #worker: WorkerLike;
  #hasEnded = false;
  #onEnd: () => void = () => undefined;
  /** Fulfilled when the worker has ended, in whatever way. */
  readonly ended = new Promise<void>((resolve) => {
    this.#onEnd = () => {
      this.#hasEnded = true;
      resolve();
    };
  });

  constructor(worker: WorkerLike) {
    this.#worker = worker;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Sends the worker its start message and the name of its lock; the result is undefined if it is ready, else the problem. */
  async start(message: object, timeout: number): Promise<string | undefined> {
    const worker = this.#worker;
    if (typeof (worker as Partial<WorkerLike> | undefined)?.postMessage !== "function") {
      this.#onEnd();
      return `"createWorker" must return a worker, got ${describe(worker)}`;
    }
    // Node tells when a worker ends. It needs no lock, whose random name frameworks that prerender pages (Next.js) forbid.
    const lock = "on" in worker ? "" : newLockName();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const problem = await new Promise<string | undefined>((resolve) => {
      timer = setTimeout(() => resolve(`no answer within ${timeout} ms`), timeout);
      const answered = (answer: WorkerAnswer | undefined): void => resolve(answer?.problem);
      const failed = (cause: unknown): void => resolve((cause as { message?: string }).message ?? REFUSED);
      void this.ended.then(() => resolve("it ended at once"));
      if ("on" in worker) {
        const node = worker as NodeWorker;
        node.on("message", answered);
        node.on("error", failed);
        node.on("exit", this.#onEnd);
      } else {
        const web = worker as WebWorker;
        web.addEventListener("message", ({ data }) => answered(data));
        web.addEventListener("error", failed);
        web.addEventListener("close", this.#onEnd); // Bun
      }
      worker.postMessage({ ...message, lock });
    }).finally(() => clearTimeout(timer));
    if (problem === undefined && !("on" in worker)) whenFree(lock, this.#onEnd);
    if ("unref" in worker) (worker as NodeWorker).unref(); // not earlier: a process with nothing else to do would end
    return problem;
  }

  /** Ends the worker, even during a job. A caller's worker whose `terminate` throws never counts as ended. */
  terminate(): void {
    try {
      // One that counts as ended because it does not hold its lock may still run.
      Promise.resolve(this.#worker.terminate()).catch(() => undefined);
    } catch {
      return;
    }
    if (!this.#hasEnded && !("on" in this.#worker) && !hasLocks()) setTimeout(this.#onEnd, GRACE_MILLISECONDS);
  }
}
