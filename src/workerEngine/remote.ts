/** The caller's side of objects that stay in the worker: of each class the methods that the worker says it has. */
import { identify, type Identity, identityOf, type RemoteConnection } from "./identity.js";
import { ENGINE, type Interface, type Interfaces } from "./messages.js";

/** The backstop for engines and objects that were dropped without `dispose`. */
const dropped = new FinalizationRegistry<Pick<Identity, "connection" | "id">>(({ connection, id }) => {
  if (id === ENGINE) connection.terminate();
  else connection.release([id]);
});

/** Makes the caller's side of objects; what it makes keeps the engine. */
export class RemoteFactory {
  readonly #connection: RemoteConnection;
  readonly #prototypes: ReadonlyMap<string, object>;

  constructor(connection: RemoteConnection, interfaces: Interfaces) {
    this.#connection = connection;
    this.#prototypes = new Map(Object.entries(interfaces).map(([type, each]) => [type, prototypeOf(type, each)]));
  }

  /** @param facts  properties that never change */
  make(type: string, id: number, facts: readonly (readonly [name: string, value: unknown])[], engine: object | undefined): object {
    const object = Object.create(this.#prototypes.get(type)!) as object;
    for (const [name, value] of facts) Object.defineProperty(object, name, { value: Object.freeze(value), enumerable: true });
    const connection = this.#connection;
    identify(object, { connection, type, id, engine });
    dropped.register(object, { connection, id });
    return object;
  }
}

function prototypeOf(type: string, { methods, properties }: Interface): object {
  const prototype = {};
  const define = (name: string | symbol, descriptor: PropertyDescriptor): void => {
    Object.defineProperty(prototype, name, { configurable: true, ...descriptor });
  };
  const call = (path: string) =>
    function (this: object, ...args: unknown[]): Promise<unknown> {
      return connectionOf(this).call(this, path, args);
    };
  for (const name of properties) {
    define(name, {
      get(this: object) {
        return connectionOf(this).call(this, name, [], true);
      },
    });
  }
  for (const path of methods.filter((each) => !each.includes("."))) {
    const inner = methods.filter((each) => each.startsWith(`${path}.`));
    if (inner.length === 0) define(path, { value: call(path), writable: true });
    else {
      define(path, {
        get(this: object) {
          const own = inner.map((each) => [each.slice(path.length + 1), call(each).bind(this)] as const);
          return Object.assign(call(path).bind(this), Object.fromEntries(own));
        },
      });
    }
  }
  const dispose = {
    value(this: object): Promise<void> {
      return connectionOf(this).dispose(this);
    },
  };
  define("dispose", dispose);
  if (typeof Symbol.asyncDispose === "symbol") define(Symbol.asyncDispose, dispose);
  define(Symbol.toStringTag, { value: `Worker${type}` });
  return prototype;
}

const connectionOf = (object: object): RemoteConnection => identityOf(object)!.connection;
