/** What every step of a call needs: the engine's memory and kernels, and the name under which errors go. */
import type { Runtime } from "../runtime/runtime.js";

export interface CallContext {
  readonly runtime: Runtime;
  /** As errors give it: `matmul`, `KVCache.attend`. */
  readonly operation: string;
}
