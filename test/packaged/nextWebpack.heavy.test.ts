/** The packed package in Next.js with webpack. */
import { nextJs } from "./next.js";

await nextJs({ bundler: "webpack", cacheComponents: false, node: "Node 20" });
