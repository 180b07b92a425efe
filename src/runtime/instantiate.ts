/** Instantiates a kernel module on a new memory. */
import { wrongMoment, wrongValue } from "../check.js";
import { ABI_HASH, BUILDS } from "./abi.generated.js";
import type { Kernels } from "./kernels.js";
import type { Build } from "./builds.js";
import { LinearMemory, PAGE_BYTES } from "./memory.js";
import { withMemory } from "./memorySharing.js";

export interface Instance {
  readonly build: Build;
  readonly kernels: Kernels;
  readonly memory: LinearMemory;
  readonly module: WebAssembly.Module;
  /** Whether multiply-adds round once, without rounding the product first. */
  readonly fused: boolean;
}

/**
 * Instantiates a module on `initialBytes` of memory that may grow to `maximumBytes`.
 *
 * @param wasm    bytes, or a module, which determines the kind of memory
 * @param shared  whether threads share the memory, if `wasm` is bytes
 */
export function instantiate(
  operation: string,
  wasm: BufferSource | WebAssembly.Module,
  initialBytes: number,
  maximumBytes: number,
  shared = false,
): Instance {
  const module =
    wasm instanceof WebAssembly.Module ? wasm : compile(operation, withMemory(operation, wasm, shared ? "shared" : "unshared"));
  const kernels = link(operation, module, Math.ceil(initialBytes / PAGE_BYTES), Math.floor(maximumBytes / PAGE_BYTES));
  const { abiHash } = kernels as Partial<Kernels>; // the module may be any
  const found = abiHash && abiHash() >>> 0;
  if (found !== ABI_HASH) {
    const problem = found === undefined ? "it exports no abiHash" : `the hash of its ABI is ${found}, expected ${ABI_HASH}`;
    throw wrongValue(operation, `"wasm" is not a kernel module of this version of headwise: ${problem}`);
  }
  const build = BUILDS[kernels.build()]!;
  const step = 1 + 2 ** -12;
  const fused = kernels.multiplyAdd(step, step, -1 - 2 ** -11) !== 0; // the square's last bit, 2⁻²⁴, survives only unrounded
  return { build, kernels, memory: new LinearMemory(kernels.memory), module, fused };
}

/** Whether a module has more than the kernels of attention. */
export const hasAllOperations = (module: WebAssembly.Module): boolean =>
  WebAssembly.Module.exports(module).some(({ name }) => name === "matmul");

function compile(operation: string, bytes: BufferSource): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    const { message } = cause as Error;
    const isForbidden = /CSP|Content Security/i.test(message); // Firefox, and Chromium and Safari
    const problem = isForbidden
      ? "the page's Content-Security-Policy must allow 'wasm-unsafe-eval' in script-src"
      : "the kernels do not compile on this host";
    throw wrongMoment(operation, `${problem} (${message})`, cause);
  }
}

/** Links with an unshared memory, or with a shared one, which a module that the caller compiled may need. */
function link(operation: string, module: WebAssembly.Module, initial: number, maximum: number): Kernels {
  const attempt = (shared: boolean): Kernels => {
    const memory = new WebAssembly.Memory({ initial, maximum, shared });
    return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
  };
  try {
    return attempt(false);
  } catch {
    try {
      return attempt(true);
    } catch (cause) {
      throw wrongValue(operation, `"wasm" does not link as a kernel module (${(cause as Error).message})`);
    }
  }
}
