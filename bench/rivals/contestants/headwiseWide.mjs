import { prepareBuild } from "./headwise.mjs";

export const prepare = (task) => prepareBuild("wide", task);
