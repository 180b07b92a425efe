// `npm run example -- start` runs what `npm start` runs.
await import("../../build/tools/examples/start/main.js");
