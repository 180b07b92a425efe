import { createEngineSync } from "./node_modules/headwise/dist/standalone-sync.js";
import { createEngine } from "./node_modules/headwise/dist/standalone.js";

const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] };
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", async ({ ports: [port] }) => {
  const engine = createEngineSync();
  const numbers = Array.from(engine.scaledDotProductAttention(x, x, x, { causal: true }).data, (value) => value.toFixed(3)).join(
    " ",
  );
  engine.dispose();
  const refusal = await createEngine().then(
    () => "none",
    (error) => String(error),
  );
  port.postMessage({ numbers, refusal });
});
