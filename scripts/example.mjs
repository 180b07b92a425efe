// Runs an example: `npm run example -- decode --tokens 50`. Installs what is missing and builds what is not up to date, so that a fresh
// clone needs nothing else. Without a name it lists the examples.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const examples = join(root, "examples");
const [name, ...args] = process.argv.slice(2);
const isFile = name?.includes("/"); // an experiment of the lab, such as lab/causal
const main = join(examples, isFile ? `${name}.mjs` : join(name ?? "", "main.mjs"));

if (name === undefined || !existsSync(main)) {
  if (name !== undefined) console.error(`there is no example "${name}"\n`);
  for (const entry of readdirSync(examples, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const [title] = readFileSync(join(examples, entry.name, "README.md"), "utf8").split("\n");
    console.log(`npm run example -- ${entry.name.padEnd(18)} ${title.replace(/^# /, "")}`);
  }
  process.exit(name === undefined ? 0 : 2);
}

const npm = (folder, ...command) =>
  execFileSync("npm", command, { cwd: folder, stdio: ["ignore", "ignore", "inherit"], shell: process.platform === "win32" });

if (!existsSync(join(root, "node_modules"))) {
  console.error("installing …");
  npm(root, "ci", "--no-audit", "--no-fund");
}
execFileSync(process.execPath, [join(root, "scripts/build.mjs"), "dist"], { stdio: ["ignore", "ignore", "inherit"] });
const folder = dirname(main);
if (existsSync(join(folder, "package.json")) && !existsSync(join(folder, "node_modules"))) {
  console.error("installing the example's packages …");
  npm(folder, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock");
}

process.argv = [process.argv[0], main, ...args];
await import(pathToFileURL(main).href);
