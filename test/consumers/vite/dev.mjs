/** Vite's own server, as `vite` starts it; HEADERS adds to its answers. */
import { createServer } from "vite";

const server = await createServer({
  server: { port: 0, strictPort: false, host: "localhost", headers: JSON.parse(process.env.HEADERS ?? "{}"), hmr: { port: 0 } },
});
await server.listen();
console.log(`at ${server.resolvedUrls.local[0]}`);
