/** With a base path, and with workers whose files are split like those of the page. */
export default { clearScreen: false, base: "/sub/", build: { outDir: "dist/sub" }, worker: { format: "es" } };
