/**
 * Attention over HTTP.
 *
 *     POST /attention   a call, as wire.mjs says     200, or 400, 408, 413, 415, 503, 504 with { "error": "why" }
 *     GET  /health      200 while it takes requests, 503 while it shuts down
 */
import { createServer } from "node:http";
import { JobQueue } from "./jobQueue.mjs";
import { Refused } from "./refused.mjs";
import { BINARY_TYPE, JSON_TYPE, readCall, TYPES, writeResult } from "./wire.mjs";

export class Service {
  #limits;
  #queue;
  #server;
  #isClosing = false;

  /** @param limits  { bodyBytes, waiting, timeout }: of a request; requests that may wait; milliseconds for a body, and for a result */
  constructor(limits, engine) {
    const { timeout, waiting } = limits;
    this.#limits = limits;
    this.#queue = new JobQueue({ capacity: waiting, timeout, engine });
    // Clients that send too slowly get 408 from Node.
    const times = { requestTimeout: timeout, headersTimeout: timeout, connectionsCheckingInterval: Math.ceil(timeout / 4) };
    this.#server = createServer(times, (request, response) => void this.#answer(request, response));
  }

  /** Returns the address at which it listens. */
  async listen(port, host) {
    await new Promise((resolve, reject) => this.#server.once("error", reject).listen(port, host, resolve));
    await this.#queue.start();
    return `http://${host}:${this.#server.address().port}`;
  }

  /** Accepts no more requests, answers those that it has, and ends. */
  async close() {
    this.#isClosing = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    // Clients that are still sending get no answer.
    const timer = setTimeout(() => this.#server.closeAllConnections(), 2 * this.#limits.timeout);
    await closed;
    clearTimeout(timer);
    await this.#queue.close();
  }

  async #answer(request, response) {
    if (this.#isClosing) response.setHeader("Connection", "close");
    try {
      const { type, body } = await this.#route(request, response);
      send(response, 200, { "Content-Type": type }, body);
    } catch (error) {
      const { status = 500, headers = {}, message } = error;
      if (!(error instanceof Refused) && !response.destroyed) console.error(error);
      send(response, status, { "Content-Type": JSON_TYPE, ...headers }, JSON.stringify({ error: message }));
      request.resume(); // drops what still arrives within the time for a body: a client that is cut off would not read the answer
    }
  }

  #route(request, response) {
    const [pathname] = request.url.split("?");
    const endpoint = { "/attention": ["POST", this.#attend], "/health": ["GET", this.#health] }[pathname];
    if (!endpoint) throw new Refused(404, `there is no ${pathname}; POST /attention, GET /health`);
    const [method, handle] = endpoint;
    if (request.method !== method) throw new Refused(405, `${pathname} takes ${method}, got ${request.method}`, { Allow: method });
    return handle.call(this, request, response);
  }

  #health() {
    if (this.#isClosing) throw new Refused(503, "the service is shutting down");
    return { type: JSON_TYPE, body: JSON.stringify({ status: "ok", ...this.#queue.state }) };
  }

  async #attend(request, response) {
    const type = request.headers["content-type"]?.split(";")[0].trim().toLowerCase();
    if (!TYPES.includes(type)) {
      throw new Refused(415, `a call comes as ${JSON_TYPE} or ${BINARY_TYPE}, got ${type ?? "no Content-Type"}`);
    }
    this.#queue.assertRoom();
    const call = readCall(type, await readBody(request, this.#limits.bodyBytes));
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    return { type, body: writeResult(type, await this.#queue.run(call, gone.signal)) };
  }
}

async function readBody(request, limit) {
  const tooLarge = new Refused(413, `the body is larger than ${limit} bytes`);
  if (Number(request.headers["content-length"]) > limit) throw tooLarge;
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response, status, headers, body) {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
}
