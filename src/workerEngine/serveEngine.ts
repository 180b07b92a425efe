/** The worker's side: an engine, the objects that calls have made, and one call at a time. */
import type { AttentionEngine } from "../engine/attentionEngine.js";
import { type EngineClass, makeEngine } from "../engine/makeEngine.js";
import type { PackagedBuild } from "../engine/openEngine.js";
import type { WorkerAnswer } from "../runtime/job.js";
import { holdLock } from "../runtime/locks.js";
import { openPort } from "../runtime/workerPort.js";
import { VERSION } from "../engine/version.js";
import { ask } from "./ask.js";
import { decodeCall } from "./decodeCall.js";
import { ResultEncoder } from "./encodeResult.js";
import { type CallMessage, ENGINE, type FromWorker, type OpenMessage, type StartMessage, type ToWorker } from "./messages.js";
import { memberOf } from "./methods.js";
import { Objects } from "./objects.js";
import { toSent } from "./sentErrors.js";

const OPERATION = "createWorkerEngine";

export function serveEngine(Engine: EngineClass<AttentionEngine>): void {
  let objects: Objects | undefined;
  let takeBinary: (wasm: BufferSource | WebAssembly.Module) => void = () => undefined;

  const post = (message: FromWorker, transfer?: readonly ArrayBuffer[]): void => port.post(message, transfer);
  const loadBinary = (build: PackagedBuild): Promise<BufferSource | WebAssembly.Module> =>
    new Promise((resolve) => {
      takeBinary = resolve;
      post({ kind: "wants", build });
    });

  async function start({ kind, lock, version }: Partial<StartMessage>): Promise<WorkerAnswer> {
    if (kind !== "start") return { problem: "its script is headwise/engine-worker, expected headwise/worker" };
    if (version !== VERSION) return { problem: `its script is of headwise ${VERSION}, expected ${version}` };
    await holdLock(lock!);
    return { problem: undefined };
  }

  async function open({ plan }: OpenMessage): Promise<void> {
    const engine = await makeEngine(OPERATION, Engine, plan, loadBinary);
    objects = new Objects(engine, plan.hasAllOperations ? "Engine" : "AttentionEngine");
    post({ kind: "opened" });
  }

  function call(message: CallMessage): void {
    const { target, name } = message;
    const { type, object } = objects!.at(target);
    const { args, given, spans } = decodeCall(message, objects!);
    const result = new ResultEncoder(objects!, given, memberOf(type, name)?.makes);
    const encoded = result.encode(ask(type, object, name, args));
    const { buffers, made } = result;
    post({ kind: "done", result: encoded, buffers, made, spans }, [...buffers, ...spans]);
    if (target === ENGINE && name === "dispose") port.close();
  }

  const failed = (error: unknown): void => post({ kind: "failed", error: toSent(error) });

  const port = openPort((message) => {
    const { kind } = message as { kind?: ToWorker["kind"] };
    const body = message as never;
    switch (kind) {
      case "open":
        open(body).catch(failed);
        break;
      case "binary":
        takeBinary((body as { wasm: BufferSource | WebAssembly.Module }).wasm);
        break;
      case "call":
        try {
          call(body);
        } catch (error) {
          failed(error);
        }
        break;
      case "release":
        for (const id of (body as { ids: number[] }).ids) objects!.release(id);
        break;
      default:
        void start(body).then((answer) => port.post(answer));
    }
  });
}
