// Engines in a worker. See scripts/breaks.mjs.

const here = (name) => ({
  file: `${name}.ts`,
  tests: ["", "Errors", "Calls", "End"].map((part) => `workerEngine${part}`),
});
const there = (name) => ({ ...here(name), needsWorkers: true });

export default [
  {
    rule: "arrays are copied before the call returns",
    ...here("encodeCall"),
    find: "(buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength)",
    replace: "(buffer as ArrayBuffer)",
  },
  {
    rule: "transfer moves arrays that occupy their whole buffer, and no others",
    ...here("encodeCall"),
    find: "if (byteLength === buffer.byteLength) continue;",
    replace: "if (byteLength <= buffer.byteLength) continue;",
  },
  {
    rule: "arrays from dataSync are never moved",
    ...here("encodeCall"),
    find: "this.#value(`${name}.data`, data), given }",
    replace: "this.#value(`${name}.data`, data, true), given }",
  },
  {
    rule: "places in buffers that are moved are refused",
    ...here("encodeCall"),
    find: "if (place !== undefined) {",
    replace: "if (place === null) {",
  },
  {
    rule: "functions are refused by name",
    ...here("encodeCall"),
    find: 'if (typeof value === "function" ||',
    replace: 'if (typeof value === "undefined" && (value as unknown) === null ||',
  },
  {
    rule: "places that are read first are sent with their contents",
    ...here("encodeCall"),
    find: "readsPlaces = Boolean(property);",
    replace: "readsPlaces = property === undefined;",
  },
  {
    rule: "places that overlap also overlap in the worker",
    ...here("placeList"),
    find: "a.start < b.end && b.start < a.end;",
    replace: "a.start < b.end && b.start > a.end;",
  },
  {
    rule: "a detached place is an Error, and no other place is filled",
    ...here("placeList"),
    find: "if (data.length !== length) {",
    replace: "if (data.length > length) {",
  },
  {
    rule: "a call that is aborted while it waits is not made",
    ...here("connection"),
    find: "if (index >= 0) this.#queue.splice(index, 1);",
    replace: "if (index < 0) this.#queue.splice(index, 1);",
  },
  {
    rule: "a call that is aborted while it runs is rejected at once, and its places stay unchanged",
    ...here("connection"),
    find: "if (isAborted) return;",
    replace: "",
  },
  {
    rule: "objects that an aborted call creates are freed",
    ...here("connection"),
    find: "if (this.#running?.isAborted) this.release(message.made);",
    replace: "",
  },
  {
    rule: "signals are listened to no longer than the call lasts",
    ...here("signals"),
    find: 'signal.removeEventListener("abort", watch.listener);',
    replace: "",
  },
  {
    rule: "one signal for many calls has one listener",
    ...here("signals"),
    find: "this.#watches.set(signal, watch);",
    replace: "",
  },
  {
    rule: "a place that is read has the results of earlier calls",
    ...here("connection"),
    find: "const readsResults = this.#queue[0]?.encoded.places.areRead;",
    replace: "const readsResults = false;",
  },
  {
    rule: "options that are inherited are read",
    ...here("encodeCall"),
    find: "if (!names.has(name) && typeof held",
    replace: "if (level === value && !names.has(name) && typeof held",
  },
  {
    rule: "inherited properties are not reported as unknown options",
    ...there("decodeCall"),
    find: "Object.setPrototypeOf(object, plain(inherited));",
    replace: "Object.assign(object, plain(inherited));",
  },
  {
    rule: "a getter may dispose of the engine",
    ...here("connection"),
    find: "this.#assertAlive(operation); // a getter may have disposed of the engine",
    replace: "",
  },
  {
    rule: "pending calls are rejected when the worker ends",
    ...here("connection"),
    find: "for (const job of [this.#running, ...this.#queue.splice(0)])",
    replace: "for (const job of [this.#running])",
  },
  {
    rule: "an idle worker does not keep the process alive, a pending call does",
    ...here("connection"),
    find: "    this.#running = job;\n    this.#worker.ref?.();",
    replace: "    this.#running = job;",
    needsDist: true,
  },
  {
    rule: "objects that are dropped are freed, engines too",
    ...here("remote"),
    find: "dropped.register(object, { connection, id });",
    replace: "if (id < 0) dropped.register(object, { connection, id });",
    needsDist: true,
  },
  {
    rule: "an engine lives as long as one of its objects is in use",
    ...here("remote"),
    find: "identify(object, { connection, type, id, engine });",
    replace: "identify(object, { connection, type, id, engine: undefined });",
    needsDist: true,
  },
  {
    rule: "errors keep their class",
    ...here("sentErrors"),
    find: "Object.hasOwn(CLASSES, name) ? CLASSES[name]! : Error",
    replace: "Object.hasOwn(CLASSES, name) ? Error : Error",
  },
  {
    rule: "results leave the worker in their own buffers",
    ...here("encodeResult"),
    find: "array.byteLength === array.buffer.byteLength",
    replace: "array.byteLength <= array.buffer.byteLength",
  },
  {
    rule: "a place is returned as the same object",
    ...there("decodeCall"),
    find: "if (place !== undefined) given.set(object, place);",
    replace: "",
  },
  {
    rule: "what is internal can't be asked for",
    ...here("ask"),
    find: "if (!memberOf(type, name)) throw",
    replace: "if (!memberOf(type, name) && name === '') throw",
  },
  {
    rule: "the table says which options of an operation receive results",
    ...here("methods"),
    find: 'mergeAttention: { places: ["out", "logSumExp"] },',
    replace: 'mergeAttention: { places: ["out"] },',
  },
  {
    rule: "a plan leaves places as they are",
    ...here("connection"),
    find: "if (!encoded.member.isPlan) encoded.places.fill",
    replace: "encoded.places.fill",
  },
  {
    rule: "a worker of another version is refused",
    ...there("serveEngine"),
    find: "if (version !== VERSION) return",
    replace: "if (version === undefined) return",
  },
];
