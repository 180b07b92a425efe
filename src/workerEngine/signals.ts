/** One listener for each signal, however many calls it is given to: hosts warn of more than ten. */
import type { AbortSignalLike } from "./asynchronous.js";

interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

export class Signals {
  readonly #watches = new Map<AbortSignalLike, Watch>();

  /** Calls back once the signal is aborted, until the function is called that this returns. */
  watch(signal: AbortSignalLike, callback: () => void): () => void {
    const watch = this.#watches.get(signal) ?? this.#begin(signal);
    watch.callbacks.add(callback);
    return () => {
      watch.callbacks.delete(callback);
      if (watch.callbacks.size > 0 || this.#watches.get(signal) !== watch) return;
      this.#watches.delete(signal);
      signal.removeEventListener("abort", watch.listener);
    };
  }

  #begin(signal: AbortSignalLike): Watch {
    const callbacks = new Set<() => void>();
    const watch = { callbacks, listener: () => [...callbacks].forEach((callback) => callback()) };
    this.#watches.set(signal, watch);
    signal.addEventListener("abort", watch.listener);
    return watch;
  }
}
