/** The result of `createWorker`: a worker of `node:worker_threads` or a web worker. */
export interface WorkerLike {
  postMessage(message: unknown): void;
  terminate(): unknown;
}
