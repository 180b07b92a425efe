/** A page that creates an engine as its address says, and leaves the result in `globalThis.result`. */
import { createEngine } from "headwise";
import { createEngine as createAttentionEngine } from "headwise/attention";
import * as reference from "headwise/reference";
import { check } from "./check.mjs";

const query = new URLSearchParams(location.search);
const options = {};
if (query.has("threads")) options.threads = Number(query.get("threads"));
if (query.has("build")) options.build = query.get("build");

const show = (result) => {
  globalThis.result = result;
  document.body.textContent = JSON.stringify(result, null, 2);
};

if (query.get("in") === "worker") {
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }) => show(data));
  worker.addEventListener("error", ({ message }) => show({ error: `the worker failed: ${message}` }));
  worker.postMessage(options);
} else {
  if (query.get("pool") === "file") {
    options.createWorker = () => new Worker(new URL("./attentionWorker.mjs", import.meta.url), { type: "module" });
  }
  check({ createEngine: query.get("entry") === "attention" ? createAttentionEngine : createEngine, reference }, options).then(show);
}
