/** Which object of the worker each of the caller's objects stands for. */

import type { ClassName } from "./methods.js";

/** What such an object needs of the connection to its engine. */
export interface RemoteConnection {
  call(target: object, path: string, args: readonly unknown[]): Promise<unknown>;
  dispose(target: object): Promise<void>;
  release(ids: readonly number[]): void;
  terminate(): void;
}

export interface Identity {
  readonly connection: RemoteConnection;
  readonly type: ClassName;
  readonly id: number;
  /** What made it: an engine lives as long as one of its objects is in use. Undefined for the engine itself. */
  readonly engine: object | undefined;
}

const identities = new WeakMap<object, Identity>();

/** Says what an object is in the worker. */
export const identify = (object: object, identity: Identity): void => {
  identities.set(object, identity);
};

/** What an object is in the worker; undefined for all others. */
export const identityOf = (object: object): Identity | undefined => identities.get(object);
