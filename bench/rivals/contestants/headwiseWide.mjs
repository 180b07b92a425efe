import { prepareBuild } from "./headwise.mjs";

export const prepare = (call) => prepareBuild("wide", call);
