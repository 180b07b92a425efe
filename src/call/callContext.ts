/** The context of every step of a call: the engine's memory and kernels, and the operation's name for errors. */
import type { Runtime } from "../runtime/runtime.js";

export interface CallContext {
  readonly runtime: Runtime;
  /** The name in errors: `matmul`, `KVCache.attend`. */
  readonly operation: string;
}
