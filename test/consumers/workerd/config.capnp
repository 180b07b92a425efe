using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "plain", worker = .plain),
    (name = "node", worker = .node),
  ],
  sockets = [
    (name = "plain", address = "127.0.0.1:0", http = (), service = "plain"),
    (name = "node", address = "127.0.0.1:0", http = (), service = "node"),
  ],
);

const modules :List(Workerd.Worker.Module) = [
  (name = "main.js", esModule = embed "dist/main.js"),
  (name = "attention-simd.wasm", wasm = embed "dist/attention-simd.wasm"),
  (name = "attention-relaxed.wasm", wasm = embed "dist/attention-relaxed.wasm"),
  (name = "simd.wasm", wasm = embed "dist/simd.wasm"),
  (name = "relaxed.wasm", wasm = embed "dist/relaxed.wasm"),
];

const plain :Workerd.Worker = (compatibilityDate = "2025-05-05", modules = .modules);
const node :Workerd.Worker = (compatibilityDate = "2026-11-01", modules = .modules); # nodejs_compat is the default by then
