/** webpack without options; `index.html` loads dist/main.js as a classic script. */
export default { mode: "production", entry: "./main.mjs" };
