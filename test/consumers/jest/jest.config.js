/** Jest as it comes: CommonJS, in both of its environments. */
module.exports = { projects: ["node", "jsdom"].map((name) => ({ displayName: name, testEnvironment: name })) };
