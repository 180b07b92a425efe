/** A page of the extension: an engine, one on two threads, one in a worker; and what the service worker answers. */
import { createEngine, createWorkerEngine } from "./node_modules/headwise/dist/standalone.js";
import { attend, shown } from "./numbers.mjs";

/** @param made  the promise of an engine */
async function tried(made) {
  try {
    const engine = await made;
    const numbers = shown(await attend(engine));
    const { threads, threadsReason } = await engine.info;
    await engine.dispose();
    return { numbers, threads, threadsReason };
  } catch (error) {
    return { error: String(error) };
  }
}

globalThis.result = {
  background: await chrome.runtime.sendMessage("compute"),
  page: await tried(createEngine()),
  threads: await tried(createEngine({ threads: 2 })),
  worker: await tried(createWorkerEngine()),
};
