/** Whether `import` and `require` give the same copy of the package. */
import { createRequire } from "node:module";
import { createEngine } from "headwise";

console.log(createRequire(import.meta.url)("headwise").createEngine === createEngine);
