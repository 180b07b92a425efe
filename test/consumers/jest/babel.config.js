/** For tests that are written with `import`, as most are. */
module.exports = { plugins: ["@babel/plugin-transform-modules-commonjs"] };
