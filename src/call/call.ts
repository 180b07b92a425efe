/**
 * One call of an operation: it reads the caller's tensors, each getter once, and keeps the operands. It is closed once nothing has
 * changed since it was read, and then runs kernels on the operands.
 */
import { type PlaceDims, readMask, readNumbers, readPlace } from "./readOperand.js";
import { onScratch } from "./scratch.js";
import { assertUnchanged, refuseOverlaps } from "./unchanged.js";
import type { Runtime } from "../runtime/runtime.js";
import type { CallContext } from "./callContext.js";
import { launch, type Launch } from "./launch.js";
import { newResult, type Operand } from "./operand.js";
import { type Given, type KnownOptions, readOptions } from "./readOptions.js";

export class Call implements CallContext {
  readonly runtime: Runtime;
  readonly operation: string;
  /** In the order in which they were read or made. */
  readonly operands: Operand[] = [];

  /** @throws {Error} the engine has been disposed of, or its workers are still ending */
  constructor(runtime: Runtime, operation: string) {
    runtime.assertReady(operation);
    this.runtime = runtime;
    this.operation = operation;
  }

  /** Begins a call, and reads its options. @throws {TypeError} an option that the operation does not have */
  static of<T extends object>(runtime: Runtime, operation: KnownOptions, options: T | null | undefined): [Call, Given<T>] {
    const call = new Call(runtime, operation.name);
    return [call, readOptions(operation, options)];
  }

  /** Reads a tensor of numbers; `takesStrides` says that kernels read rows of an engine's tensor wherever they lie. */
  numbers(name: string, value: unknown, takesStrides = false): Operand {
    return this.#keep(readNumbers(this, name, value, takesStrides));
  }

  /** Reads a boolean mask; `meaning` says in errors what its bytes mean. */
  mask(name: string, value: unknown, meaning: string): Operand {
    return this.#keep(readMask(this, name, value, meaning));
  }

  /** Reads a place for a result of exactly these sizes, see PlaceDims; `axes` names them, `takesStrides` is as above. */
  place(name: string, value: unknown, dims: PlaceDims, axes: string, takesStrides = false): Operand {
    return this.#keep(readPlace(this, name, value, dims, axes, takesStrides));
  }

  #keep(operand: Operand): Operand {
    this.operands.push(operand);
    return operand;
  }

  /** Removes an operand that another one replaces. */
  forget(operand: Operand): void {
    this.operands.splice(this.operands.indexOf(operand), 1);
  }

  /**
   * Ends reading. Checks that no result overlaps another operand, and that no getter has disposed of or detached anything
   * that had been read before. Afterwards none of the caller's code runs until the call is over.
   *
   * @param replaceable  the inputs that a result may overwrite, being the same tensor. Default none
   */
  close(replaceable: (result: Operand) => readonly Operand[] = () => []): void {
    refuseOverlaps(this.operation, this.operands, replaceable);
    assertUnchanged(this, this.operands);
  }

  /** The place for a result, or a new array if the caller gave none. */
  result(place: Operand | undefined, dims: readonly number[]): Operand {
    return place ?? this.#keep(newResult(this, dims));
  }

  /** Places the operands in scratch, with `bytes` bytes more, computes, and copies the results out. */
  onScratch(bytes: number, compute: (ptr: number) => void): void {
    onScratch(this, this.operands, bytes, compute);
  }

  /** Places the operands in scratch, runs a kernel, and copies the results out. */
  launch(task: Launch): void {
    launch(this, this.operands, task);
  }
}
