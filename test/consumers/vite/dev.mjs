/** Vite's own server, as started by `vite`; HEADERS adds headers to its answers. */
import { createServer } from "vite";

const server = await createServer({ server: { headers: JSON.parse(process.env.HEADERS ?? "{}") } });
await server.listen();
console.log(`at ${server.resolvedUrls.local[0]}`);
