/** The descriptors of all operations, by the modules that have them. */
import { readdirSync } from "node:fs";
import type { Operation } from "../../src/call/operation.js";

const src = new URL("../../src/", import.meta.url);
const ROOMS = ["attention", "cache", "choices", "linear", "multiHead", "product", "rows", "scores"];

const isDescriptor = (value: unknown): value is Operation =>
  typeof value === "object" && value !== null && "name" in value && "options" in value && "places" in value;

export async function descriptors(): Promise<Operation[]> {
  const files = ROOMS.flatMap((room) =>
    readdirSync(new URL(room, src), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => new URL(`${room}/${file}`, src)),
  );
  const modules = await Promise.all(files.map((file) => import(/* @vite-ignore */ file.pathname) as Promise<object>));
  return [...new Set(modules.flatMap((module) => Object.values(module).filter(isDescriptor)))];
}
