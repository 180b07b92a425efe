import { createEngineSync } from "headwise/standalone-sync";
import * as reference from "headwise/reference";
import { check } from "../check.mjs";

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", ({ ports: [port] }) => {
  void check({ createEngine: createEngineSync, reference }).then((result) => port.postMessage(result));
});
