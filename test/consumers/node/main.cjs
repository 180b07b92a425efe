/** The same with `require`. */
const { createEngine } = require("headwise");
const reference = require("headwise/reference");
const { check } = require("./check.mjs");

const options = JSON.parse(process.argv[2] ?? "{}");
check({ createEngine, reference }, options).then((result) => console.log(JSON.stringify(result)));
