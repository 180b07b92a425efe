/** The object in the worker that each of the caller's objects represents. */
import type { ClassName } from "./methods.js";

/** The part of the connection to its engine that such an object needs. */
export interface RemoteConnection {
  call(target: object, name: string, args: readonly unknown[]): Promise<unknown>;
  dispose(target: object): Promise<void>;
  release(ids: readonly number[]): void;
  terminate(): void;
}

export interface Identity {
  readonly connection: RemoteConnection;
  readonly type: ClassName;
  readonly id: number;
  /** Its engine, which lives as long as one of its objects is in use. Undefined for the engine itself. */
  readonly engine: object | undefined;
}

const identities = new WeakMap<object, Identity>();

/** Records the identity of an object in the worker. */
export const identify = (object: object, identity: Identity): void => {
  identities.set(object, identity);
};

/** The identity of an object in the worker; undefined for other objects. */
export const identityOf = (object: object): Identity | undefined => identities.get(object);
