/** Calls of one engine, one after the other: a limited number may wait, for a limited time, computation included. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Refused } from "./refused.mjs";

/** Seconds after which a client may try again when the queue is full. */
const RETRY_AFTER = "1";

export class JobQueue {
  #options;
  #worker;
  /** Build and threads of the engine. */
  #info;
  #waiting = [];
  #running;
  #isClosing = false;
  #onEmpty = () => undefined;

  /** @param options  { capacity, timeout, engine }: jobs that may wait; milliseconds; options of `createEngine` */
  constructor(options) {
    this.#options = options;
  }

  get state() {
    return { ...this.#info, running: this.#running ? 1 : 0, waiting: this.#waiting.length };
  }

  /** Starts the thread that holds the engine. */
  async start() {
    const worker = new Worker(new URL("engineThread.mjs", import.meta.url), { workerData: this.#options.engine });
    [this.#info] = await once(worker, "message");
    worker.on("message", (answer) => this.#finish(answer));
    worker.on("error", (error) => void this.#restart(new Refused(500, `the engine failed: ${error.message}`)));
    this.#worker = worker;
    this.#next();
  }

  /** Throws if there is no room for another job. */
  assertRoom() {
    const { capacity } = this.#options;
    if (this.#isClosing) throw new Refused(503, "the service is shutting down");
    if (this.#waiting.length < capacity) return;
    throw new Refused(503, `${capacity} requests are waiting already`, { "Retry-After": RETRY_AFTER });
  }

  /**
   * The result { data, dims } of a call { q, k, v, options }, whose arrays belong to the queue from now on.
   *
   * @param signal  aborted when nobody is waiting for the result any more
   */
  async run(call, signal) {
    this.assertRoom();
    const { timeout } = this.#options;
    const job = { call };
    const result = new Promise((resolve, reject) => Object.assign(job, { resolve, reject }));
    const timer = setTimeout(() => this.#drop(job, new Refused(504, `no result within ${timeout} ms`)), timeout);
    const onAbort = () => this.#drop(job, new Refused(499, "the client has gone"));
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.push(job);
    this.#next();
    try {
      return await result;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Accepts no more jobs, and finishes those that it has. */
  async close() {
    this.#isClosing = true;
    if (this.#running || this.#waiting.length > 0) await new Promise((resolve) => (this.#onEmpty = resolve));
    await this.#worker?.terminate();
  }

  #next() {
    if (this.#running || !this.#worker) return;
    this.#running = this.#waiting.shift();
    if (!this.#running) return this.#onEmpty();
    const { call } = this.#running;
    this.#worker.postMessage(
      call,
      [call.q, call.k, call.v].map(({ data }) => data.buffer),
    );
  }

  #finish({ out, problem, isCallers }) {
    const job = this.#running;
    this.#running = undefined;
    if (out) job.resolve(out);
    else job.reject(new Refused(isCallers ? 400 : 500, problem));
    this.#next();
  }

  /** Ends a job without a result. A running call can only be stopped by ending its thread. */
  #drop(job, reason) {
    if (job === this.#running) return void this.#restart(reason);
    this.#waiting = this.#waiting.filter((other) => other !== job);
    job.reject(reason);
  }

  async #restart(reason) {
    const [worker, job] = [this.#worker, this.#running];
    this.#worker = undefined;
    this.#running = undefined;
    job?.reject(reason);
    worker?.removeAllListeners();
    await worker?.terminate();
    await this.start();
  }
}
