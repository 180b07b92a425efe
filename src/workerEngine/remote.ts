/** The caller's side of objects that stay in the worker, with the methods of their class in the table. */
import { leaveUnproxied } from "../runtime/unproxied.js";
import { identify, type Identity, identityOf, type RemoteConnection } from "./identity.js";
import { ENGINE } from "./messages.js";
import { CLASSES, type ClassName } from "./methods.js";

/** The backstop for engines and objects that were dropped without `dispose`. */
const dropped = new FinalizationRegistry<Pick<Identity, "connection" | "id">>(({ connection, id }) => {
  if (id === ENGINE) connection.terminate();
  else connection.release([id]);
});

/**
 * Makes the caller's side of an object, which keeps its engine alive.
 * @param facts  properties that never change
 */
export function makeRemote(
  connection: RemoteConnection,
  type: ClassName,
  id: number,
  facts: readonly (readonly [name: string, value: unknown])[],
  engine: object | undefined,
): object {
  const object = Object.create(prototypeOf(type)) as object;
  for (const [name, value] of facts) Object.defineProperty(object, name, { value: Object.freeze(value), enumerable: true });
  identify(object, { connection, type, id, engine });
  dropped.register(object, { connection, id });
  return object;
}

const prototypes = new Map<ClassName, object>();

function prototypeOf(type: ClassName): object {
  const prototype = prototypes.get(type) ?? makePrototype(type);
  prototypes.set(type, prototype);
  return prototype;
}

function makePrototype(type: ClassName): object {
  const { methods, properties = [] } = CLASSES[type];
  const prototype = {};
  const define = (name: string | symbol, descriptor: PropertyDescriptor): void => {
    Object.defineProperty(prototype, name, { configurable: true, ...descriptor });
  };
  const call = (name: string) =>
    function (this: object, ...args: unknown[]): Promise<unknown> {
      return connectionOf(this).call(this, name, args);
    };
  for (const name of properties) define(name, { get: call(name) });
  for (const name of Object.keys(methods)) define(name, { value: call(name), writable: true });
  const dispose = {
    value(this: object): Promise<void> {
      return connectionOf(this).dispose(this);
    },
  };
  define("dispose", dispose);
  if (typeof Symbol.asyncDispose === "symbol") define(Symbol.asyncDispose, dispose);
  leaveUnproxied(prototype, type === "AttentionEngine" ? "WorkerEngine" : `Worker${type}`);
  return prototype;
}

const connectionOf = (object: object): RemoteConnection => identityOf(object)!.connection;
