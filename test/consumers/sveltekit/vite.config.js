import { sveltekit } from "@sveltejs/kit/vite";

/** Keeps what Vite has built, which `vite preview` serves. */
const adapter = { name: "none", adapt() {} };
export default { clearScreen: false, plugins: [sveltekit({ adapter })] };
