importScripts("./classic.js"); // headwise/sync as a classic script
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", async ({ ports: [port] }) => port.postMessage(await globalThis.compute()));
