const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
worker.addEventListener("message", ({ data }) => (globalThis.result = data));
worker.addEventListener("error", ({ message }) => (globalThis.result = { error: `the worker failed: ${message}` }));
