// The builder: builds that do not match their sources. See scripts/breaks.mjs.
const file = "engine.mjs";
const tests = ["build"];

export default [
  {
    rule: "a build whose sources have changed is made again",
    file,
    tests,
    find: "stamp?.inputs === before && ",
    replace: "stamp && ",
  },
  {
    rule: "a build whose outputs have changed is made again",
    file,
    tests,
    find: " && stamp.outputs === outputsOf(step)",
    replace: "",
  },
  {
    rule: "a build whose sources change while it runs is made again",
    file,
    tests,
    find: "if (after === before) break;",
    replace: "break;",
  },
  {
    rule: "two builds do not write at the same time",
    file: "lock.mjs",
    tests,
    find: "while (!create(path)) {",
    replace: "while (!create(path) && holderOf(path)?.isDead) {",
  },
  {
    rule: "a build's sources include everything that a source imports",
    file: "files.mjs",
    tests,
    find: "for (const file of found) {",
    replace: "for (const file of [...found]) {",
  },
  {
    rule: "kernels: a rare byte is a pair of characters",
    file: "printable.ts",
    tests: ["printable"],
    find: "text.charCodeAt(++at)",
    replace: "text.charCodeAt(at)",
  },
];
