/** The worker of an engine as a file. */
import "./node_modules/headwise/dist/runtime/worker.js";
