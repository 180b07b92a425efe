/** A browser as a host of tests. */
import { commands } from "vitest/browser";
import { hasRelaxedSimd } from "../../src/runtime/features.js";
import type { Host } from "./host.js";

// Vitest takes its types from its own providers.
declare module "vitest/browser" {
  export const commands: BrowserCommands;
  interface BrowserCommands {
    readConformance(path: string): Promise<string | undefined>;
  }
}

async function fetchBinary(name: string): Promise<[string, Uint8Array<ArrayBuffer>]> {
  const response = await fetch(new URL(`../../build/${name}.wasm`, import.meta.url));
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return [name, new Uint8Array(await response.arrayBuffer())];
}
/** Binaries that tests use synchronously are loaded in advance; "debug" is for comparison. */
const binaries = new Map(await Promise.all(["debug", "simd", "relaxed"].map(fetchBinary)));

export const host: Host = {
  name: /(?:Chrome|Firefox)\/\d+/.exec(navigator.userAgent)?.[0].replace("/", " ") ?? "WebKitGTK",
  // No browser has "wide", and the assertions of "debug" run in Node.
  builds: ["simd", "relaxed"],
  whyNot: (build) => (build === "relaxed" && !hasRelaxedSimd() ? "this browser does not validate relaxed SIMD" : undefined),
  threads: 2,
  readBinary: (name) => {
    const binary = binaries.get(name);
    if (!binary) throw new Error(`no binary ${name} in the browser`);
    return binary.slice();
  },
  readConformance: (path) => commands.readConformance(path),
  startWorker: (source) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    return new Worker(url, { type: "module" });
  },
};
