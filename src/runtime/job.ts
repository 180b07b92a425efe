/**
 * A job: units of one call's work, shared by the calling thread and the workers. They coordinate through these few words of
 * shared memory alone, of which the kernels know nothing.
 *
 *     calling thread                        worker
 *     describe the job, open the gate       spin a little, then park
 *     announce it, wake the parked      →   wake, enter the gate if it is open
 *     claim ranges of units until           claim ranges of units until
 *       none is left                          none is left
 *     close the gate                        leave the gate
 *     wait until the last has left      ←
 *
 * A worker that wakes late finds the gate closed and parks again, so that a job never waits for a worker that has not begun.
 */
import { SHARED_KERNELS } from "./abi.generated.js";
import { type Kernels, placeWorkspace } from "./kernels.js";

/** Indices of the words; words that different threads write are on different cache lines. */
export const Word = {
  /** Number of the job; increases with every job. */
  JOB: 0,
  /** Workers that are asleep, or about to be. */
  PARKED: 1,
  /** 1: the workers must end. */
  QUIT: 2,
  /** 1: a worker could not finish its part. */
  FAILED: 3,
  /** OPEN while workers may enter, plus the number of workers inside. */
  GATE: 16,
  /** Workers that have entered, over all jobs. */
  ENTERED: 17,
  /** First unit that no thread has claimed. */
  NEXT: 32,
  // Description of the job; written while the gate is closed.
  UNITS: 48,
  /** Most units of a range. */
  MOST: 49,
  /** Threads that may take part: numbers 0, the calling thread, to THREADS − 1. */
  THREADS: 50,
  /** Address of the parameters. */
  PARAMS: 51,
  /** Address of the workspace of thread 0; the others' follow, WORKSPACE_BYTES apart. */
  WORKSPACES: 52,
  WORKSPACE_BYTES: 53,
  /** Index in SHARED_KERNELS. */
  KERNEL: 54,
} as const;

export const CONTROL_BYTES = 256;
export const OPEN = 2 ** 16;

/** The message that starts a worker. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: Int32Array;
  /** The worker's number, from 1 on. */
  readonly thread: number;
  /** Name of a lock that the worker holds as long as it lives, if the host has locks. */
  readonly lock: string;
}

/** A worker's answer: the problem that keeps it from starting, or undefined if it is ready. */
export interface WorkerAnswer {
  readonly problem: string | undefined;
}

/**
 * One thread's part of a job. Ranges shrink as units run out, so that threads finish together and yet rarely meet: each takes
 * its share of half of the rest (guided self-scheduling, Polychronopoulos & Kuck 1987).
 */
export function takePart(control: Int32Array, kernels: Kernels, thread: number): void {
  const units = control[Word.UNITS]!;
  const most = control[Word.MOST]!;
  const divisor = 2 * control[Word.THREADS]!;
  const params = control[Word.PARAMS]! >>> 0;
  const workspace = (control[Word.WORKSPACES]! >>> 0) + thread * (control[Word.WORKSPACE_BYTES]! >>> 0);
  const kernel = SHARED_KERNELS[control[Word.KERNEL]!]!;
  placeWorkspace(kernels, kernel, params, workspace);
  for (let first = Atomics.load(control, Word.NEXT); first < units;) {
    const end = first + Math.max(1, Math.min(most, Math.floor((units - first) / divisor)));
    const found = Atomics.compareExchange(control, Word.NEXT, first, end);
    if (found === first) kernels[kernel](params, workspace, first, end);
    first = found === first ? Atomics.load(control, Word.NEXT) : found;
  }
}
