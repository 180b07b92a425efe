/** The worker that the package carries, as hosts of web workers start it. */
import { afterEach, expect, test, vi } from "vitest";
import { createPackagedWorker } from "../src/runtime/workerHost.js";

class FakeWorker extends EventTarget {
  constructor(readonly url: string) {
    super();
  }
}
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test.each(["message", "error"])("its URL is revoked at its first %s, and no timer keeps Deno and Bun alive", (event) => {
  vi.stubGlobal("Worker", FakeWorker);
  const [timers, revoked] = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(URL, "revokeObjectURL")];
  const worker = createPackagedWorker("") as unknown as FakeWorker;
  expect(timers).not.toHaveBeenCalled();
  expect(revoked).not.toHaveBeenCalled();
  worker.dispatchEvent(new Event(event));
  expect(revoked.mock.calls).toEqual([[worker.url]]);
});
