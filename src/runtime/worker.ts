/**
 * A worker: one instance of the kernels on the engine's memory, which takes part in one job after the other until it is ended.
 */
import { OPEN, takePart, Word, type WorkerAnswer, type WorkerStart } from "./job.js";
import type { Kernels } from "./kernels.js";
import { holdLock } from "./locks.js";
import { openPort, type Port } from "./workerPort.js";

/** How long a worker watches for the next job before it parks; waking it takes longer than that. */
const SPIN_MILLISECONDS = 0.05;

/** Waits for a job after `seen` and returns its number. */
function nextJob(control: Int32Array, seen: number): number {
  const end = performance.now() + SPIN_MILLISECONDS;
  while (Atomics.load(control, Word.JOB) === seen && performance.now() < end);
  Atomics.add(control, Word.PARKED, 1);
  while (Atomics.load(control, Word.JOB) === seen) Atomics.wait(control, Word.JOB, seen);
  Atomics.sub(control, Word.PARKED, 1);
  return Atomics.load(control, Word.JOB);
}

/** Joins the job if the gate is open and the job wants this thread. */
function enter(control: Int32Array, thread: number): boolean {
  for (;;) {
    const gate = Atomics.load(control, Word.GATE);
    if (gate < OPEN) return false;
    if (Atomics.compareExchange(control, Word.GATE, gate, gate + 1) !== gate) continue;
    const isWanted = thread < control[Word.THREADS]!;
    if (isWanted) Atomics.add(control, Word.ENTERED, 1);
    else leave(control);
    return isWanted;
  }
}

function leave(control: Int32Array): void {
  if (Atomics.sub(control, Word.GATE, 1) === 1) Atomics.notify(control, Word.GATE);
}

function serve(kernels: Kernels, control: Int32Array, thread: number, firstJob: number): void {
  for (let job = nextJob(control, firstJob); !Atomics.load(control, Word.QUIT); job = nextJob(control, job)) {
    if (!enter(control, thread)) continue;
    try {
      takePart(control, kernels, thread);
    } catch {
      Atomics.store(control, Word.FAILED, 1);
    }
    leave(control);
  }
}

async function start({ module, memory, control, thread, lock }: Partial<WorkerStart>, port: Port): Promise<void> {
  const isOurs = module && memory && control && thread !== undefined && lock !== undefined;
  if (!isOurs) {
    port.post({ problem: "its script is headwise/worker, expected headwise/engine-worker" } satisfies WorkerAnswer);
    port.close();
    return;
  }
  try {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    await holdLock(lock);
    const job = Atomics.load(control, Word.JOB);
    port.post({ problem: undefined } satisfies WorkerAnswer);
    serve(exports as Kernels, control, thread, job);
  } catch (error) {
    port.post({ problem: String(error) } satisfies WorkerAnswer);
  }
  port.close();
}

const port = openPort((message) => void start(message as Partial<WorkerStart>, port));
