/** The packed package in Next.js with Turbopack, and with cacheComponents, which forbid random values and clocks while prerendering. */
import { nextJs } from "./next.js";

await nextJs({ bundler: "turbopack", cacheComponents: true, node: "Node 24" });
