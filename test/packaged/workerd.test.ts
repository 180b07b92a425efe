/** The packed package in workerd, bundled as for Cloudflare Workers: nothing may be compiled there, the kernels are deployed modules. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { obtain } from "../hosts/hosts.js";
import { type Consumer, install } from "../hosts/install.js";
import { expectRight, printReport } from "./check.js";

const host = await obtain("workerd");
const isThere = host.reason === undefined;
const title = isThere ? `workerd (${host.version})` : `not run: workerd, which can't be had here (${host.reason})`;

(isThere ? describe : describe.skip)(title, () => {
  let consumer: Consumer;
  const ends: (() => unknown)[] = [];
  /** Ports by the name of the socket. */
  let ports: ReadonlyMap<string, number>;

  beforeAll(async () => {
    consumer = await install(inject("tarball"), "check.mjs", "workerd");
    ends.push(() => consumer.remove());
    const { stdout, stderr } = await consumer.run("npm", "run", "--silent", "build", "--", "--log-level=warning");
    expect(stdout + stderr, "the bundle is built without a warning").toBe("");
    if (host.reason !== undefined) return;

    const server = spawn(host.executable, ["serve", "--control-fd=3", "config.capnp"], {
      cwd: consumer.folder,
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    ends.push(() => server.kill());
    ports = await new Promise((resolve, reject) => {
      const found = new Map<string, number>();
      let complaints = "";
      server.stderr!.on("data", (data: Buffer) => (complaints += data.toString()));
      server.on("exit", (code) => reject(new Error(`workerd ended with ${code}: ${complaints}`)));
      (server.stdio[3] as Readable).on("data", (data: Buffer) => {
        for (const line of data.toString().trim().split("\n")) {
          const { event, socket, port } = JSON.parse(line) as { event: string; socket: string; port: number };
          if (event === "listen") found.set(socket, port);
        }
        if (found.size === 2) resolve(found);
      });
    });
  });
  afterAll(() => {
    for (const end of ends.reverse()) end();
    printReport();
  });

  const ask = async (socket: string, path: string, options: object = {}) => {
    const address = `http://127.0.0.1:${ports.get(socket)}/${path}?${encodeURIComponent(JSON.stringify(options))}`;
    const result: unknown = await (await fetch(address)).json();
    return expectRight(`${title} ${socket} /${path} ${JSON.stringify(options)}`, result);
  };

  describe.each([
    ["plain", "without Node's modules"],
    ["node", "with Node's modules"],
  ])("%s: %s", (socket) => {
    test("createEngine() without options: attention equals the reference, build relaxed", async () => {
      expect(await ask(socket, "")).toMatchObject({ build: "relaxed", fused: true, threads: 1 });
    });

    test("all operations equal the reference", async () => {
      await ask(socket, "", { operations: "all" });
    });

    test("build simd, by name", async () => {
      expect(await ask(socket, "", { build: "simd" })).toMatchObject({ build: "simd", fused: false });
      expect(await ask(socket, "", { build: "simd", operations: "all" })).toMatchObject({ build: "simd" });
    });

    test("several threads: one, and the reason", async () => {
      const { threads, threadsReason } = await ask(socket, "", { threads: 2 });
      expect({ threads, threadsReason }).toEqual({ threads: 1, threadsReason: "this host has no workers" });
    });

    test("headwise/sync equals the reference", async () => {
      expect(await ask(socket, "sync")).toMatchObject({ build: "relaxed" });
      expect(await ask(socket, "sync", { build: "simd" })).toMatchObject({ build: "simd" });
    });

    test("engines of the module, made before the first request", async () => {
      await ask(socket, "early");
      await ask(socket, "early-sync");
    });
  });

  test("the script holds no kernels: they are the files beside it", () => {
    expect(readFileSync(join(consumer.folder, "dist/main.js"), "utf8")).not.toMatch(/AGFzbQE|0061736d01/);
  });
});
