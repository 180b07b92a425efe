/** What `createWorker` returns: a worker of `node:worker_threads` or of the web. */
export interface WorkerLike {
  postMessage(message: unknown): void;
  terminate(): unknown;
}
