/** Instantiates a kernel module on a memory. */
import { kindOf, wrongMoment, wrongValue } from "../check.js";
import { ABI_HASH, BUILDS } from "./abi.generated.js";
import type { Kernels } from "./kernels.js";
import type { Build } from "./builds.js";
import { LinearMemory, type MemoryLimits, reserve, type Reserved } from "./memory.js";
import { withMemory } from "./memorySharing.js";
import { answerAtOnce, type Steps, take } from "./steps.js";

export interface Instance {
  readonly build: Build;
  readonly kernels: Kernels;
  readonly memory: LinearMemory;
  readonly maximumBytes: number;
  readonly module: WebAssembly.Module;
  /** Whether multiply-adds round once, without rounding the product first. */
  readonly fused: boolean;
}

/** Bytes of a module, or a module, which the caller of the package may have compiled. */
export type Wasm = BufferSource | WebAssembly.Module;

export const isModule = (wasm: object): wasm is WebAssembly.Module => kindOf(wasm) === "WebAssembly.Module";

/**
 * Instantiates a module on a memory. If it was compiled for the other kind of memory, shared or unshared, it gets one of that kind.
 *
 * @param name  the argument that holds it; undefined for the packaged kernels
 */
export function* instantiation(operation: string, wasm: Wasm, name: string | undefined, reserved: Reserved): Steps<Instance> {
  const isGiven = isModule(wasm);
  const module = isGiven ? wasm : yield* compilation(operation, name, withMemory(operation, wasm, reserved.isShared));
  let memory = reserved;
  let instance: WebAssembly.Instance | undefined;
  try {
    instance = yield* linking(module, memory);
  } catch (cause) {
    if (!isGiven) throw notLinked(operation, name, cause);
  }
  if (!instance) {
    memory = reserve(operation, reserved, !reserved.isShared);
    try {
      instance = yield* linking(module, memory);
    } catch (cause) {
      throw notLinked(operation, name, cause);
    }
  }

  const kernels = instance.exports as unknown as Kernels;
  const { abiHash } = kernels as Partial<Kernels>; // the module may be any
  const found = abiHash && abiHash() >>> 0;
  if (found !== ABI_HASH) {
    const problem = found === undefined ? "it exports no abiHash" : `the hash of its ABI is ${found}, expected ${ABI_HASH}`;
    throw wrongValue(operation, `"wasm" is not a kernel module of this version of headwise: ${problem}`);
  }
  const build = BUILDS[kernels.build()]!;
  const step = 1 + 2 ** -12;
  const fused = kernels.multiplyAdd(step, step, -1 - 2 ** -11) !== 0; // the square's last bit, 2⁻²⁴, survives only unrounded
  return { build, kernels, memory: new LinearMemory(memory.object), maximumBytes: memory.maximumBytes, module, fused };
}

/** The same at once, on unshared memory. */
export const instantiate = (operation: string, wasm: Wasm, limits: MemoryLimits): Instance =>
  take(instantiation(operation, wasm, "wasm", reserve(operation, limits, false)), answerAtOnce);

/** Whether a module has more than the kernels of attention. */
export const hasAllOperations = (module: WebAssembly.Module): boolean =>
  WebAssembly.Module.exports(module).some(({ name }) => name === "matmul");

function* compilation(operation: string, name: string | undefined, bytes: BufferSource): Steps<WebAssembly.Module> {
  try {
    return (yield { kind: "compile", bytes }) as WebAssembly.Module;
  } catch (cause) {
    const { message } = cause as Error;
    const problem = `${name === undefined ? "the kernels do" : `"${name}" does`} not compile on this host`;
    throw refusedByPolicy(operation, cause) ?? wrongMoment(operation, `${problem} (${message})`, cause);
  }
}

function* linking(module: WebAssembly.Module, { object }: Reserved): Steps<WebAssembly.Instance> {
  return (yield { kind: "link", module, imports: { env: { memory: object } } }) as WebAssembly.Instance;
}

function notLinked(operation: string, name: string | undefined, cause: unknown): Error {
  const { message } = cause as Error;
  const refused = refusedByPolicy(operation, cause);
  if (refused) return refused;
  if (name === undefined) return wrongMoment(operation, `the kernels do not link on this host (${message})`, cause);
  return wrongValue(operation, `"${name}" does not link as a kernel module (${message})`);
}

/** What a page's policy forbids: to compile, or in WebKitGTK to link. Undefined for any other cause. */
function refusedByPolicy(operation: string, cause: unknown): Error | undefined {
  const { message } = cause as Error;
  if (!/CSP|Content Security/i.test(message)) return undefined; // Firefox, and the others
  const problem = "the page's Content-Security-Policy must allow 'wasm-unsafe-eval' in script-src";
  return wrongMoment(operation, `${problem} (${message})`, cause);
}
