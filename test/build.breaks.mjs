// Breaks of the builder: a build that is not what its sources say.
const file = "engine.mjs";
const tests = ["build"];

export default [
  {
    rule: "a build whose sources have changed is made anew",
    file,
    tests,
    find: "stamp?.inputs === before && ",
    replace: "stamp && ",
  },
  {
    rule: "a build that is not what was written is made anew",
    file,
    tests,
    find: " && stamp.outputs === outputsOf(step)",
    replace: "",
  },
  {
    rule: "a build whose sources change meanwhile is made again",
    file,
    tests,
    find: "if (after === before) break;",
    replace: "break;",
  },
  {
    rule: "two builds don't write at once",
    file: "lock.mjs",
    tests,
    find: "while (!create(path)) {",
    replace: "while (!create(path) && holderOf(path)?.isDead) {",
  },
  {
    rule: "all that a source imports is among a build's sources",
    file: "files.mjs",
    tests,
    find: "for (const file of found) {",
    replace: "for (const file of [...found]) {",
  },
];
