/** A component that makes an engine, and one in a worker of its own; the results are left in `globalThis.result`. */
import { Component, signal } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { createEngine, createWorkerEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "../check.mjs";

const options = { threads: Number(new URLSearchParams(location.search).get("threads") ?? 1) };

async function inWorkerEngine(): Promise<number[]> {
  const engine = await createWorkerEngine();
  const one = { data: Float32Array.of(1), dims: [1, 1] };
  const { data } = await engine.scaledDotProductAttention(one, one, one);
  await engine.dispose();
  return [...data];
}

const inWorker = (): Promise<unknown> =>
  new Promise((resolve) => {
    const worker = new Worker(new URL("./app.worker", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => resolve({ error: message });
    worker.postMessage(options);
  });

@Component({ selector: "app-root", template: "<pre>{{ text() }}</pre>" })
class App {
  protected readonly text = signal("");

  constructor() {
    void this.compute();
  }

  private async compute(): Promise<void> {
    const result = {
      inPage: await check({ createEngine, reference }, options),
      inWorker: await inWorker(),
      inWorkerEngine: await inWorkerEngine(),
    };
    this.text.set(JSON.stringify(result));
    Object.assign(globalThis, { result });
  }
}

void bootstrapApplication(App);
