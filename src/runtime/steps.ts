/**
 * What is asked of the host while an engine is opened, written once for engines that are made at once and for those that may wait:
 * old browsers compile and link nothing but tiny modules synchronously on the main thread.
 */
import { nodeProcess } from "./nodeProcess.js";

/** Something that the host can do at once or asynchronously. */
export type HostRequest =
  | { readonly kind: "compile"; readonly bytes: BufferSource }
  | { readonly kind: "link"; readonly module: WebAssembly.Module; readonly imports: WebAssembly.Imports };

/** Requests, whose answers lead to a result; a request that fails throws where it was made. */
export type Steps<T, Request = HostRequest> = Generator<Request, T, unknown>;

/** Answers at once. */
export const answerAtOnce = (request: HostRequest): WebAssembly.Module | WebAssembly.Instance =>
  request.kind === "compile" ? new WebAssembly.Module(request.bytes) : new WebAssembly.Instance(request.module, request.imports);

/**
 * Answers on another thread where there is a page to keep alive. Servers answer at once: it takes less than a millisecond, and what waits
 * for another thread counts as dynamic when Next.js prerenders a page.
 */
export async function answerLater(request: HostRequest): Promise<WebAssembly.Module | WebAssembly.Instance> {
  if (nodeProcess()) {
    try {
      return answerAtOnce(request);
    } catch {
      // The other way may be allowed, or says what is wrong.
    }
  }
  return request.kind === "compile" ? WebAssembly.compile(request.bytes) : WebAssembly.instantiate(request.module, request.imports);
}

/** Takes the steps, one after the other. */
export function take<T, Request>(steps: Steps<T, Request>, answer: (request: Request) => unknown): T {
  let step = steps.next();
  while (!step.done) {
    let found: unknown;
    try {
      found = answer(step.value);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(found);
  }
  return step.value;
}

/** The same with answers that arrive later. */
export async function takeAsync<T, Request>(steps: Steps<T, Request>, answer: (request: Request) => unknown): Promise<T> {
  let step = steps.next();
  while (!step.done) {
    let found: unknown;
    try {
      found = await answer(step.value);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(found);
  }
  return step.value;
}
