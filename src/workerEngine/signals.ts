/** One listener for each signal, even if many calls share it: hosts warn about more than ten. */
import type { AbortSignalLike } from "./asynchronous.js";

interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

export class Signals {
  readonly #watches = new Map<AbortSignalLike, Watch>();

  /** Calls back when the signal is aborted; the returned function ends that. */
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
