/** The worker's side: an engine, the objects that calls have made, and one call after the other. */
import type { FullEngine } from "../engine/fullEngine.js";
import { KVCache } from "../cache/kvCache.js";
import { makePlanned } from "../engine/makeEngine.js";
import type { PackagedBuild } from "../engine/openEngine.js";
import type { WorkerAnswer } from "../runtime/job.js";
import { holdLock } from "../runtime/locks.js";
import { openPort } from "../runtime/workerPort.js";
import { EngineTensor } from "../call/tensor.js";
import { VERSION } from "../engine/version.js";
import { decodeCall } from "./decodeCall.js";
import { ResultEncoder } from "./encodeResult.js";
import { ask, interfaceOf } from "./interfaces.js";
import { type CallMessage, ENGINE, type FromWorker, type OpenMessage, type StartMessage, type ToWorker } from "./messages.js";
import { Objects } from "./objects.js";
import { toSent } from "./sentErrors.js";

/** A class whose objects stay in the worker. Not by the name that it has here, which may have been minified. */
type Kinds = Readonly<Record<string, { readonly prototype: object }>>;

/** What an engine for attention doesn't load. */
export interface FullKinds {
  readonly FullEngine: typeof FullEngine;
  readonly kinds: Kinds;
}

const OPERATION = "createWorkerEngine";

/** @param loadAll  gives what engines with all operations need besides */
export function serveEngine(loadAll: () => Promise<FullKinds>): void {
  let kinds: Kinds = { EngineTensor, KVCache };
  let objects: Objects | undefined;
  let takeBinary: (wasm: BufferSource | WebAssembly.Module) => void = () => undefined;

  const post = (message: FromWorker, transfer?: readonly ArrayBuffer[]): void => port.post(message, transfer);
  const loadBinary = (build: PackagedBuild): Promise<BufferSource | WebAssembly.Module> =>
    new Promise((resolve) => {
      takeBinary = resolve;
      post({ kind: "wants", build });
    });
  const loadFullEngine = async (): Promise<typeof FullEngine> => {
    const all = await loadAll();
    kinds = { ...kinds, ...all.kinds };
    return all.FullEngine;
  };

  async function start({ kind, lock, version }: Partial<StartMessage>): Promise<WorkerAnswer> {
    if (kind !== "start") return { problem: "its script is that of createWorkerEngine's worker, expected headwise/worker" };
    if (version !== VERSION) return { problem: `its script is of headwise ${VERSION}, expected ${version}` };
    await holdLock(lock!);
    return { problem: undefined };
  }

  async function open({ plan }: OpenMessage): Promise<void> {
    const engine = await makePlanned(OPERATION, plan, loadBinary, loadFullEngine);
    objects = new Objects(engine, kinds);
    const described = Object.entries(kinds).map(([type, { prototype }]) => [type, interfaceOf(type, prototype)] as const);
    post({ kind: "opened", interfaces: { Engine: interfaceOf("Engine", engine), ...Object.fromEntries(described) } });
  }

  function call(message: CallMessage): void {
    const { target, path, isRead } = message;
    const { type, object } = objects!.at(target);
    const { args, given, spans } = decodeCall(message, objects!);
    const result = new ResultEncoder(objects!, given);
    const encoded = result.encode(ask(type, object, path, isRead, args));
    const { buffers, made } = result;
    post({ kind: "done", result: encoded, buffers, made, spans }, [...buffers, ...spans]);
    if (target === ENGINE && path === "dispose") port.close();
  }

  const failed = (error: unknown): void => post({ kind: "failed", error: toSent(error) });

  const port = openPort((message) => {
    const { kind } = message as { kind?: ToWorker["kind"] };
    const given = message as never;
    switch (kind) {
      case "open":
        open(given).catch(failed);
        break;
      case "binary":
        takeBinary((given as { wasm: BufferSource | WebAssembly.Module }).wasm);
        break;
      case "call":
        try {
          call(given);
        } catch (error) {
          failed(error);
        }
        break;
      case "release":
        for (const id of (given as { ids: number[] }).ids) objects!.release(id);
        break;
      default:
        void start(given).then((answer) => port.post(answer));
    }
  });
}
