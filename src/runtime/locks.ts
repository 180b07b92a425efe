/** Web Locks as a sign of life: a worker holds one as long as it lives, and the host gives it free however the worker goes. */

const manager = (): LockManager | undefined => (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;

/** A host may have locks and deny them, as to pages of opaque origin. */
let isDenied = false;

export const hasLocks = (): boolean => manager() !== undefined && !isDenied;

/** Holds the lock from now on; fulfilled once it does, at once where the host has none to give, or the lock has no name. */
export const holdLock = (name: string): Promise<void> =>
  new Promise((resolve) => {
    const locks = manager();
    if (!locks || name === "") {
      resolve();
      return;
    }
    locks
      .request(name, () => {
        resolve();
        return new Promise(() => undefined);
      })
      .catch(resolve);
  });

/** Calls back when nobody holds the lock any more. */
export function whenFree(name: string, callback: () => void): void {
  manager()
    ?.request(name, callback)
    .catch(() => (isDenied = true));
}
