/** For hosts that cannot send headers: as a service worker it adds those that isolate a page; as a script it installs itself once. */
if (typeof window === "undefined") {
  self.addEventListener("install", () => self.skipWaiting());
  self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
  self.addEventListener("fetch", (event) => event.respondWith(fetch(event.request).then(isolated)));
} else if (!crossOriginIsolated && navigator.serviceWorker && !sessionStorage.getItem("isolating")) {
  sessionStorage.setItem("isolating", "1"); // if it does not help, the page stays as it is
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
  navigator.serviceWorker.register(document.currentScript.src);
}
function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return response.status === 0 ? response : new Response(response.body, { status: response.status, headers });
}
