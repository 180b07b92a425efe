/** Serves the page with the headers that isolate it, or writes it as files for a host that serves them. */
import { cpSync, createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { runExample, UsageError } from "../options.mjs";

const folderOf = (url) => fileURLToPath(new URL(".", url));

/** Folders by their path in the page, as in the page's import map. */
const FOLDERS = {
  "/headwise/": folderOf(import.meta.resolve("headwise")),
  "/": folderOf(new URL("site/index.html", import.meta.url)),
};

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css" };

/** With these a page may share memory with its workers. */
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** The file of a path, or undefined. */
function fileOf(path) {
  const [prefix, folder] = Object.entries(FOLDERS).find(([each]) => path.startsWith(each));
  const file = join(folder, normalize(`/${path.slice(prefix.length) || "index.html"}`));
  return extname(file) in TYPES && statSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined;
}

function answer({ url }, response) {
  const file = fileOf(URL.canParse(url, "http://localhost") ? new URL(url, "http://localhost").pathname : "/");
  if (!file) return void response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[extname(file)], ...ISOLATION });
  createReadStream(file).pipe(response);
}

async function main({ port, write }) {
  if (write !== "") {
    for (const [prefix, folder] of Object.entries(FOLDERS)) {
      const filter = (path) => extname(path) in TYPES || statSync(path).isDirectory();
      cpSync(folder, join(write, prefix), { recursive: true, filter });
    }
    console.log(`written to ${write}; any web server can serve it`);
    return;
  }
  const number = Number(port);
  if (!Number.isInteger(number) || number < 0 || number > 65535) throw new UsageError(`--port ${port}: not a port`);
  const server = createServer(answer);
  await new Promise((resolve, reject) => server.once("error", reject).listen(number, "localhost", resolve));
  console.log(`open http://localhost:${server.address().port}`);
}

await runExample("page", { port: "8080", write: "" }, main);
