/** Vite's default format of workers forbids `await` at the top level. */
export default { clearScreen: false, worker: { format: "es" } };
