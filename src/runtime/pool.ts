/** The workers of one engine, and the jobs that the calling thread shares with them. */
import { wrongMoment } from "../check.js";
import { CONTROL_BYTES, OPEN, takePart, Word, type WorkerStart } from "./job.js";
import { SHARED_KERNELS, type SharedKernel } from "./abi.generated.js";
import type { Kernels } from "./kernels.js";
import { createPackagedWorker, whyNotMade, WorkerHost } from "./workerHost.js";
import type { WorkerLike } from "./workerLike.js";

/** Arguments of `startPool`. */
export interface PoolOptions {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Threads, including the calling one. */
  readonly threads: number;
  readonly createWorker: (() => WorkerLike) | undefined;
  /** Milliseconds. */
  readonly stallTimeout: number;
}

/** Work that threads share; addresses in bytes. */
export interface Job {
  readonly params: number;
  readonly workspaces: number;
  readonly workspaceBytes: number;
  readonly kernel: SharedKernel;
  readonly units: number;
  /** Multiply-adds in all, roughly. */
  readonly work: number;
  readonly threads: number;
}

/**
 * Jobs with fewer multiply-adds run on the calling thread alone: waking a parked worker takes some 50 µs, in which one thread
 * does 1.5 million.
 */
const BREAK_EVEN = 4e6;
/** Most multiply-adds of a range, some 20 ms: a thread that is silent for the stall timeout is stuck, not just busy. */
const RANGE = 4e8;
/** How long the calling thread watches the gate before it sleeps. */
const SPIN_MILLISECONDS = 0.1;
/** A sleeping calling thread looks at the gate this often, in milliseconds. */
const SLICE_MILLISECONDS = 50;

/** The pool, if any worker started, and why there are fewer threads than requested. */
export interface PoolStart {
  readonly pool: Pool | undefined;
  readonly reason: string | undefined;
}

/** Starts the workers; those that don't start are left out, and the reason is that of the first failure. */
export async function startPool({ module, memory, threads, createWorker, stallTimeout }: PoolOptions): Promise<PoolStart> {
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
  const hosts: WorkerHost[] = [];
  const problems: string[] = [];
  const starts = Array.from({ length: threads - 1 }, async (_, index) => {
    let host: WorkerHost | undefined;
    let problem: string | undefined;
    try {
      host = new WorkerHost(createWorker ? createWorker() : createPackagedWorker((await import("./binary/worker.js")).source));
      const message: Omit<WorkerStart, "lock"> = { module, memory, control, thread: index + 1 };
      problem = await host.start(message, stallTimeout);
    } catch (error) {
      problem = whyNotMade(error);
    }
    if (problem === undefined) hosts.push(host!);
    else {
      problems.push(problem);
      host?.terminate();
    }
  });
  await Promise.all(starts);
  const [problem] = problems;
  return {
    pool: hosts.length > 0 ? new Pool(control, hosts, threads, stallTimeout) : undefined,
    reason: problem === undefined ? undefined : `${problems.length} of ${threads - 1} workers did not start: ${problem}`,
  };
}

export class Pool {
  readonly #control: Int32Array;
  readonly #stallTimeout: number;
  readonly #canSleep: boolean;
  #hosts: WorkerHost[];
  #failure: string | undefined;
  /** Thread numbers; those of workers that didn't start stay unused. */
  readonly slots: number;
  /** Jobs of at least this many multiply-adds are shared. */
  breakEven = BREAK_EVEN;
  /** For tests: the calling thread begins only when all workers have begun, and units are claimed one by one. */
  gathers = false;

  constructor(control: Int32Array, hosts: WorkerHost[], slots: number, stallTimeout: number) {
    this.#control = control;
    this.#hosts = hosts;
    this.#stallTimeout = stallTimeout;
    this.#canSleep = canSleep();
    this.slots = slots;
    for (const host of hosts) void host.ended.then(() => this.#forget(host));
  }

  /** Threads that compute, including the calling one. */
  get threads(): number {
    return this.#failure === undefined ? 1 + this.#hosts.length : 1;
  }

  /** Whether workers of a failed job may still be writing. */
  get isEnding(): boolean {
    return this.#failure !== undefined && this.#hosts.length > 0;
  }

  /** Why there are fewer threads than before. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** How many threads a job is worth. */
  threadsFor(work: number): number {
    return this.threads === 1 || work < this.breakEven ? 1 : this.slots;
  }

  /**
   * Runs a job on the calling thread and the workers; returns when it is done.
   * @throws {Error} a worker failed or stalled: the results are undefined, and `isEnding` is true until all workers have ended
   */
  run(operation: string, kernels: Kernels, job: Job): void {
    const control = this.#control;
    control[Word.KERNEL] = SHARED_KERNELS.indexOf(job.kernel);
    control[Word.UNITS] = job.units;
    control[Word.MOST] = this.gathers ? 1 : Math.max(1, Math.min(job.units, Math.floor((RANGE / job.work) * job.units)));
    control[Word.THREADS] = job.threads;
    control[Word.PARAMS] = job.params;
    control[Word.WORKSPACES] = job.workspaces;
    control[Word.WORKSPACE_BYTES] = job.workspaceBytes;
    const entered = Atomics.load(control, Word.ENTERED);
    Atomics.store(control, Word.NEXT, 0);
    Atomics.add(control, Word.GATE, OPEN);
    Atomics.add(control, Word.JOB, 1);
    if (Atomics.load(control, Word.PARKED) > 0) Atomics.notify(control, Word.JOB);
    if (this.gathers) while (Atomics.load(control, Word.ENTERED) < entered + job.threads - 1);

    let ownError: unknown;
    try {
      takePart(control, kernels, 0);
    } catch (error) {
      ownError = error;
    }
    Atomics.sub(control, Word.GATE, OPEN);
    const hasAllLeft = this.#awaitWorkers();
    if (!hasAllLeft) this.#fail(operation, `a worker made no progress for ${this.#stallTimeout} ms`);
    if (Atomics.load(control, Word.FAILED)) this.#fail(operation, "a worker could not finish its part");
    if (ownError) throw ownError as Error;
  }

  /** Ends the workers; those in a job finish their part first. */
  end(): void {
    Atomics.store(this.#control, Word.QUIT, 1);
    Atomics.add(this.#control, Word.JOB, 1);
    Atomics.notify(this.#control, Word.JOB);
  }

  /** Fulfilled when all workers have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.ended));
  }

  /** Waits until no worker is inside the gate; false if nothing has changed there for the stall timeout. */
  #awaitWorkers(): boolean {
    const control = this.#control;
    let inside = Atomics.load(control, Word.GATE);
    let since = performance.now();
    while (inside > 0) {
      const waited = performance.now() - since;
      if (waited > this.#stallTimeout) return false;
      if (this.#canSleep && waited > SPIN_MILLISECONDS) Atomics.wait(control, Word.GATE, inside, SLICE_MILLISECONDS);
      const now = Atomics.load(control, Word.GATE);
      if (now !== inside) since = performance.now();
      inside = now;
    }
    return true;
  }

  #fail(operation: string, problem: string): never {
    this.#failure = `${problem}, and the workers were terminated`;
    for (const host of this.#hosts) host.terminate();
    throw wrongMoment(
      operation,
      `${problem}; its results are undefined. The workers are being terminated; after that, this engine computes on one thread`,
    );
  }

  #forget(host: WorkerHost): void {
    this.#hosts = this.#hosts.filter((other) => other !== host);
    this.#failure ??= this.#hosts.length === 0 ? "the workers have ended" : undefined;
  }
}

/** Whether this thread may sleep: the main thread of a page may not. */
function canSleep(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}
