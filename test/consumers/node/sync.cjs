/** The synchronously created engine, with `require`. */
const { createEngineSync } = require("headwise/sync");
const reference = require("headwise/reference");
const { check } = require("./check.mjs");

const options = JSON.parse(process.argv[2] ?? "{}");
check({ createEngine: createEngineSync, reference }, options).then((result) => console.log(JSON.stringify(result)));
