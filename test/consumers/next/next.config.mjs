/** HEADWISE_CACHE_COMPONENTS=1 prerenders all that may be prerendered, and refuses random values and clocks in it. */
const cacheComponents = process.env.HEADWISE_CACHE_COMPONENTS === "1";
const ISOLATION = [
  { key: "Cross-Origin-Opener-Policy", value: "same-origin" },
  { key: "Cross-Origin-Embedder-Policy", value: "require-corp" },
];

export default {
  cacheComponents,
  partialPrefetching: cacheComponents,
  headers: () => Promise.resolve([{ source: "/:path*", headers: ISOLATION }]),
};
