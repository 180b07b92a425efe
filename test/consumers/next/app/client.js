"use client";
import { useEffect } from "react";
import { createEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "../check.mjs";

/** Leaves what the server and the page computed in `globalThis.result`. */
export function Client({ onServer }) {
  useEffect(() => {
    void check({ createEngine, reference }, { threads: 2 }).then((inPage) => (globalThis.result = { onServer, inPage }));
  }, [onServer]);
  return <pre>{JSON.stringify(onServer)}</pre>;
}
