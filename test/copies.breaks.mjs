// Several copies of the package in one program, and several realms. See scripts/breaks.mjs.
const tests = ["copies"];

export default [
  {
    rule: "what another copy of the package has made is named as such",
    tests,
    find: 'maker === thisCopy ? "" : ", made by another copy of headwise"',
    replace: '""',
  },
  {
    rule: "what no copy of the package has made is not another's",
    tests,
    find: "const maker = makerOf(value) ?? thisCopy;",
    replace: "const maker = makerOf(value);",
  },
  {
    rule: "an object of another copy is not taken for options of a call in the worker",
    tests,
    find: "makerOf(value) === undefined && !isTensor(value)",
    replace: "identityOf(value) === undefined && !isTensor(value)",
  },
  {
    rule: "an object of another copy is not sent to a worker",
    tests,
    find: "if (makerOf(value) && !isTensor(value)) throw",
    replace: "if (identityOf(value)) throw",
  },
  {
    rule: "shared memory is told in every realm",
    tests: ["poorHosts"],
    find: 'kindOf(buffer) === "SharedArrayBuffer"',
    replace: "!(buffer instanceof ArrayBuffer)",
  },
  {
    rule: "a module of any realm is one",
    tests: ["poorHosts"],
    find: 'kindOf(wasm) === "WebAssembly.Module";',
    replace: "wasm instanceof WebAssembly.Module;",
  },
  {
    rule: "bytes of any realm are bytes",
    tests: ["poorHosts"],
    find: 'kindOf(wasm) === "ArrayBuffer"',
    replace: "wasm instanceof ArrayBuffer",
  },
  {
    rule: "a URL of any realm is one",
    tests: ["poorHosts"],
    find: 'typeof wasm === "string" || kind === "URL"',
    replace: 'typeof wasm === "string" || wasm instanceof URL',
  },
  {
    rule: "a response of any realm is one",
    tests: ["poorHosts"],
    find: 'if (kind === "Response")',
    replace: "if (wasm instanceof Response)",
  },
];
