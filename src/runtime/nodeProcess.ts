/** Node's `process`, which Deno and Bun have too. */

/**
 * Undefined where there is none. It is a property of the global object here, and never a free name, because bundlers for pages replace
 * that name: Parcel adds a package to the project for it.
 */
export const nodeProcess = (): NodeJS.Process | undefined => {
  const { process } = globalThis as { process?: Partial<NodeJS.Process> };
  return typeof process?.getBuiltinModule === "function" ? (process as NodeJS.Process) : undefined;
};
