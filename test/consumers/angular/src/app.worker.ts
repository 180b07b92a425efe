import { createEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "../check.mjs";

addEventListener("message", ({ data }) => {
  void check({ createEngine, reference }, data).then((result) => postMessage(result));
});
