/** The calling thread's side of an engine in a worker: calls are queued here, and sent one at a time. */
import { wrongMoment } from "../check.js";
import type { PackagedBuild, Plan } from "../engine/openEngine.js";
import type { WorkerHost } from "../runtime/workerHost.js";
import type { WorkerLike } from "../runtime/workerLike.js";
import { decodeResult } from "./decodeResult.js";
import { type EncodedCall, encodeCall, readCallOptions } from "./encodeCall.js";
import { type CallMessage, type DoneMessage, ENGINE, type FromWorker, type ToWorker } from "./messages.js";
import { identityOf } from "./identity.js";
import { type ClassName, memberOf } from "./methods.js";
import { makeRemote } from "./remote.js";
import { fromSent } from "./sentErrors.js";
import { Signals } from "./signals.js";
import { listen } from "./workerEvents.js";

/** A call in the queue, or in progress in the worker. */
interface Job {
  readonly encoded: EncodedCall;
  readonly message: Omit<CallMessage, "spans">;
  /** The object that is called; kept while the call is in progress. */
  readonly target: object;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
  /** Whether the caller has aborted it. */
  isAborted: boolean;
}

type SendingWorker = WorkerLike & {
  postMessage(message: ToWorker, transfer: readonly ArrayBuffer[]): void;
  /** If the host has them: set whether the worker keeps the process alive. */
  ref?(): void;
  unref?(): void;
};

/** The longest time of a timer, in milliseconds. */
const MAX_TIMEOUT = 2 ** 31 - 1;

export class Connection {
  readonly #worker: SendingWorker;
  readonly #host: WorkerHost;
  readonly #queue: Job[] = [];
  readonly #signals = new Signals();
  #running: Job | undefined;
  /** Why the worker has ended. */
  #end: string | undefined;
  /** Fulfilled with the engine's last `info`. */
  #disposal: Promise<unknown> | undefined;
  #opening: Opening | undefined;

  /** @param host  has started the worker */
  constructor(worker: WorkerLike, host: WorkerHost) {
    this.#worker = worker;
    this.#host = host;
    listen(
      worker,
      (message) => this.#take(message as FromWorker),
      (problem) => this.#fail(problem),
    );
    void host.ended.then(() => this.#fail());
  }

  /**
   * Makes the engine in the worker, and its side here.
   * @internal
   */
  async open(plan: Plan, loadBinary: LoadBinary): Promise<object> {
    this.#worker.ref?.();
    let timer: ReturnType<typeof setTimeout> | undefined;
    // the engine's worker itself waits up to stallTimeout for the workers that share its calls
    const patience = Math.min(plan.threads > 1 ? 2 * plan.stallTimeout : plan.stallTimeout, MAX_TIMEOUT);
    try {
      await new Promise<void>((resolve, reject) => {
        const stalled = (): void =>
          reject(wrongMoment("createWorkerEngine", `the engine's worker did not answer within ${patience} ms`));
        const expectAnswer = (isExpected: boolean): void => {
          clearTimeout(timer);
          timer = isExpected ? setTimeout(stalled, patience) : undefined;
        };
        this.#opening = { resolve, reject, loadBinary, expectAnswer };
        if (this.#end !== undefined) reject(wrongMoment("createWorkerEngine", this.#end));
        this.#post({ kind: "open", plan });
        expectAnswer(true);
      });
      return makeRemote(this, plan.hasAllOperations ? "Engine" : "AttentionEngine", ENGINE, [], undefined);
    } finally {
      clearTimeout(timer);
      this.#opening = undefined;
      this.#worker.unref?.();
    }
  }

  /** Calls a method of an object in the worker, or reads a property; arguments are read before this returns. */
  async call(target: object, name: string, args: readonly unknown[]): Promise<unknown> {
    const { type, id } = identityOf(target)!;
    const member = memberOf(type, name)!;
    const operation = member.name;
    if (this.#disposal !== undefined && id === ENGINE && name === "info") return this.#disposal;
    this.#assertAlive(operation);
    const { signal, transfer } = readCallOptions(operation, args);
    if (signal?.aborted) throw signal.reason;
    const encoded = encodeCall(this, member, name, args, transfer);
    this.#assertAlive(operation); // a getter may have disposed of the engine

    let stopWatching: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        const message = { kind: "call", target: id, ...encoded.message } as const;
        const job: Job = { encoded, message, target, resolve, reject, isAborted: false };
        stopWatching = signal && this.#signals.watch(signal, () => this.#abort(job, signal.reason));
        this.#queue.push(job);
        this.#next();
      });
    } finally {
      stopWatching?.();
    }
  }

  /** Disposes of an object, unless its engine is already disposed of; of the engine, once the calls before it are done. */
  async dispose(target: object): Promise<void> {
    const isEngine = identityOf(target)!.id === ENGINE;
    if (this.#disposal === undefined && this.#end === undefined) {
      const disposal = this.call(target, "dispose", []);
      if (!isEngine) return disposal as Promise<void>;
      this.#disposal = disposal.then((info) => {
        this.#end = "the engine has been disposed of";
        this.terminate();
        return info;
      });
    }
    if (isEngine) await this.#disposal?.catch(() => undefined); // its worker may have ended first
  }

  /** Makes the worker release objects. */
  release(ids: readonly number[]): void {
    if (this.#end === undefined && ids.length > 0) this.#post({ kind: "release", ids });
  }

  /** Ends the worker, even during a call. */
  terminate(): void {
    this.#host.terminate();
  }

  #assertAlive(operation: string): void {
    if (this.#disposal !== undefined) throw wrongMoment(operation, "the engine has been disposed of");
    if (this.#end !== undefined) throw wrongMoment(operation, this.#end);
  }

  #post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #next(): void {
    if (this.#running) return;
    const job = this.#queue.shift();
    if (!job) {
      this.#worker.unref?.();
      return;
    }
    this.#running = job;
    this.#worker.ref?.();
    try {
      const { member, places, transfer } = job.encoded;
      const spans = places.spans(member.name);
      this.#post({ ...job.message, spans }, [...transfer, ...spans.flatMap(({ contents }) => contents ?? [])]);
    } catch (error) {
      this.#running = undefined;
      job.reject(error);
      this.#next();
    }
  }

  #abort(job: Job, reason: unknown): void {
    const index = this.#queue.indexOf(job);
    if (index >= 0) this.#queue.splice(index, 1);
    job.isAborted = true;
    job.reject(reason);
  }

  #take(message: FromWorker): void {
    switch (message.kind) {
      case "wants":
        void this.#sendBinary(message.build);
        break;
      case "opened":
        this.#opening?.resolve();
        break;
      case "failed":
        if (this.#opening) this.#opening.reject(fromSent(message.error));
        else this.#finish((job) => job.reject(fromSent(message.error)));
        break;
      case "done":
        if (this.#running?.isAborted) this.release(message.made);
        this.#finish((job) => this.#deliver(job, message));
    }
  }

  async #sendBinary(build: PackagedBuild): Promise<void> {
    try {
      this.#opening?.expectAnswer(false); // loading may take longer
      const wasm = await this.#opening?.loadBinary(build);
      if (wasm === undefined) return; // the engine is no longer being opened
      this.#post({ kind: "binary", wasm });
      this.#opening?.expectAnswer(true);
    } catch (error) {
      this.#opening?.reject(error);
    }
  }

  /** The worker is free: it gets the next call before the caller gets this one's result, unless that call may read the result. */
  #finish(settle: (job: Job) => void): void {
    const job = this.#running;
    if (!job) return; // the connection has failed before
    this.#running = undefined;
    const readsResults = this.#queue[0]?.encoded.places.areRead;
    if (readsResults) settle(job);
    this.#next();
    if (!readsResults) settle(job);
  }

  #deliver(job: Job, { result, buffers, made, spans }: DoneMessage): void {
    const { encoded, isAborted } = job;
    if (isAborted) return;
    try {
      if (!encoded.member.isPlan) encoded.places.fill(encoded.member.name, spans);
      const engine = identityOf(job.target)!.engine ?? job.target;
      const make = (type: ClassName, id: number, facts: Parameters<typeof makeRemote>[3]): object =>
        makeRemote(this, type, id, facts, engine);
      job.resolve(decodeResult(result, buffers, encoded, make));
    } catch (error) {
      this.release(made);
      job.reject(error);
    }
  }

  /** The worker has ended, or cannot be used any more. */
  #fail(problem?: string): void {
    if (this.#end !== undefined) return;
    this.#end = `the engine's worker has ended${problem === undefined ? "" : ` (${problem})`}`;
    this.terminate();
    this.#opening?.reject(wrongMoment("createWorkerEngine", this.#end));
    for (const job of [this.#running, ...this.#queue.splice(0)]) job?.reject(wrongMoment(job.encoded.member.name, this.#end));
    this.#running = undefined;
  }
}

/** An engine that is being made. */
interface Opening {
  resolve(): void;
  reject(reason: unknown): void;
  readonly loadBinary: LoadBinary;
  /** Starts or stops waiting for the worker's next answer. */
  expectAnswer(isExpected: boolean): void;
}

type LoadBinary = (build: PackagedBuild) => Promise<BufferSource | WebAssembly.Module>;
