/**
 * The messages between the calling thread and the worker of an engine. They arrive in order, and the worker has one call at a
 * time.
 *
 *     calling thread                worker
 *     start                     →
 *                               ←   ready, or why not     (a WorkerAnswer, as from every worker of the package)
 *     open                      →   tries builds
 *                               ←   wants: the bytes of one
 *     binary                    →
 *                               ←   opened, or failed
 *     call                      →
 *                               ←   done, or failed
 *     release                   →   forgets objects that the calling thread no longer has
 */
import type { PackagedBuild, Plan } from "../engine/openEngine.js";

export interface StartMessage {
  readonly kind: "start";
  /** Name of a lock that the worker holds as long as it lives, where the host has locks. */
  readonly lock: string;
  /** Version of the package: the worker's file may be from another one. */
  readonly version: string;
}

/** @internal */
export interface OpenMessage {
  readonly kind: "open";
  readonly plan: Plan;
}

export interface CallMessage {
  readonly kind: "call";
  /** The object that is called: ENGINE, or the number of an object in an earlier result. */
  readonly target: number;
  /** The name of a method, or of a property to read, in the table of methods. */
  readonly name: string;
  readonly args: readonly Encoded[];
  /** Buffers of the arrays in the arguments. */
  readonly buffers: readonly ArrayBufferLike[];
  /** The positions of the caller's places in `spans`, memory for results. */
  readonly places: readonly PlaceAt[];
  readonly spans: readonly Span[];
}

/** @internal */
export type ToWorker =
  | StartMessage
  | OpenMessage
  | { readonly kind: "binary"; readonly wasm: BufferSource | WebAssembly.Module }
  | CallMessage
  | { readonly kind: "release"; readonly ids: readonly number[] };

export interface DoneMessage {
  readonly kind: "done";
  readonly result: Encoded;
  /** Buffers of the arrays in the result. */
  readonly buffers: readonly ArrayBuffer[];
  /** Numbers of the objects that are new in the result. */
  readonly made: readonly number[];
  /** Results for the caller's places, as in the call. */
  readonly spans: readonly ArrayBuffer[];
}

export type FromWorker =
  | { readonly kind: "wants"; readonly build: PackagedBuild }
  | { readonly kind: "opened" }
  | DoneMessage
  | { readonly kind: "failed"; readonly error: SentError };

/** The engine itself, as the target of a call. */
export const ENGINE = 0;

/** The start of an array in a buffer, in bytes, and its elements. */
interface Stretch {
  readonly offset: number;
  readonly length: number;
}

export interface PlaceAt extends Stretch {
  readonly span: number;
}

/** Memory of one of the caller's places, or of several that overlap. */
export interface Span {
  readonly bytes: number;
  /** Its contents, if the call reads them too. */
  readonly contents: ArrayBuffer | undefined;
}

export type Entries = readonly (readonly [name: string, value: Encoded])[];

/** A value as it is sent: a primitive, which structured cloning copies by itself, or one of these objects. */
export type Encoded =
  | undefined
  | null
  | boolean
  | number
  | string
  | bigint
  | ({ readonly kind: "array"; readonly type: string; readonly buffer: number } & Stretch)
  | { readonly kind: "list"; readonly items: readonly Encoded[] }
  /**
   * `tag` is its name in errors; `inherited` are properties that `Object.keys` doesn't list; `given` is its number if it is a
   * place.
   */
  | {
      readonly kind: "object";
      readonly tag: string;
      readonly entries: Entries;
      readonly inherited?: Entries;
      readonly given?: number | undefined;
    }
  /** { shape, dataSync } */
  | { readonly kind: "sync"; readonly shape: Encoded; readonly data: Encoded; readonly given?: number | undefined }
  /** A place for results, by its number in `places`, and the class of its array. */
  | { readonly kind: "place"; readonly type: string; readonly entries: Entries; readonly given: number; readonly place: number }
  /** A place, as a result. */
  | { readonly kind: "given"; readonly given: number }
  /** An object that stays in the worker; `facts` where it is new. */
  | { readonly kind: "remote"; readonly id: number; readonly facts?: Entries };

/** An error as it is sent. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: SentError | undefined;
}
