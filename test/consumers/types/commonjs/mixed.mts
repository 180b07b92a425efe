/** An ES module of the same project: both formats have the same types. */
import { createEngine, type KVCache } from "headwise";
import { attend, type Cache } from "./main.js";

export async function attended(): Promise<string> {
  const engine = await createEngine();
  const cache: KVCache = engine.createKVCache({ numKvHeads: 1, headDim: 2, capacity: 3 });
  return attend(engine, cache);
}
export const length = (remote: Cache): Promise<number> => remote.length;
