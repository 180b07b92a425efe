// Options: what is absent, and what other names are answered. See scripts/breaks.mjs.

export default [
  {
    rule: "options: null counts as absent",
    find: "if (!isAbsent(value)) given[name] = value;",
    replace: "if (value !== undefined) given[name] = value;",
    tests: ["absent"],
  },
  {
    rule: "options: a name is compared without case and underscores",
    find: 'name.replace(/[_-]/g, "").toLowerCase()',
    replace: "name.toLowerCase()",
    tests: ["optionNames"],
  },
  {
    rule: "options: a short foreign name is not searched for within others",
    find: "part.length < 4 ? name === part : name.includes(part)",
    replace: "name.includes(part)",
    tests: ["optionNames"],
  },
  {
    rule: "options: the longest part of a name answers it",
    find: "if (part.length > longest.length)",
    replace: 'if (longest === "")',
    tests: ["optionNames"],
  },
  {
    rule: "options: short names are guessed by one letter only",
    find: "name.length < 3 ? 0 : name.length < 5 ? 1 : 2",
    replace: "2",
    tests: ["optionNames"],
  },
  {
    rule: "masks: a tokenizer's is asked what it means",
    find: "if (isCausal || isWhole || !(isLeft || isRight)) return;",
    replace: "return;",
    tests: ["optionNames"],
  },
  {
    rule: "masks: a causal one is not taken for a tokenizer's",
    find: "if (isCausal || isWhole",
    replace: "if (isWhole",
    tests: ["optionNames"],
  },
];
