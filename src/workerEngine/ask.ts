/** Calls of objects in the worker: only members in the table of methods. */
import { counted, describe, product, typedArrayName, wrongKind, wrongMoment, wrongValue } from "../check.js";
import type { AttentionEngine, EngineInfo } from "../engine/attentionEngine.js";
import type { EngineTensor } from "../call/tensor.js";
import { type ClassName, memberOf } from "./methods.js";

type Method = (...args: unknown[]) => unknown;

/** Methods that engines have only in a worker. */
const ofEngine = {
  /** Returns the engine's last `info`. */
  dispose(engine: AttentionEngine): EngineInfo {
    engine.dispose();
    return engine.info;
  },
};

/** Methods that tensors have only in a worker. */
const ofTensor = {
  read(tensor: EngineTensor): Float32Array | Uint8Array {
    tensor.assertUsable("tensor.read");
    return tensor.type === "float32" ? new Float32Array(tensor.data) : new Uint8Array(tensor.data);
  },
  write(tensor: EngineTensor, data: unknown): void {
    const operation = "tensor.write";
    tensor.assertUsable(operation);
    const { data: target, dims, type } = tensor;
    const expected = type === "float32" ? "Float32Array" : "Uint8Array";
    if (typedArrayName(data) !== expected) {
      throw wrongKind(operation, `"data" must be a ${expected}, got ${describe(data)}`);
    }
    const { length } = data as Float32Array | Uint8Array;
    if (length !== target.length) {
      throw wrongValue(operation, `"data" holds ${counted(length, "element")}, expected ${product(dims, target.length)}`);
    }
    target.set(data as Float32Array | Uint8Array);
  },
};

const ADDITIONS: Partial<Record<ClassName, object>> = { AttentionEngine: ofEngine, Engine: ofEngine, EngineTensor: ofTensor };

/**
 * Calls a method, or reads a property.
 * @throws {Error} a member that is not in the table
 */
export function ask(type: ClassName, object: object, name: string, args: readonly unknown[]): unknown {
  if (!memberOf(type, name)) throw wrongMoment("createWorkerEngine", `${type}.${name} is not public`);
  const addition = (ADDITIONS[type] as Readonly<Record<string, Method>> | undefined)?.[name];
  if (addition) return addition(object, ...args);
  const member = (object as Readonly<Record<string, unknown>>)[name];
  return typeof member === "function" ? (member as Method).apply(object, [...args]) : member;
}
