/**
 * Web Locks as a sign of life: a worker holds one as long as it lives, and the host releases it, in whatever way the worker ends.
 */

const manager = (): LockManager | undefined => (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;

/** A host may have locks but deny them, for example to pages of opaque origin. */
let isDenied = false;

export const hasLocks = (): boolean => manager() !== undefined && !isDenied;

/** A name that no other lock has; empty where the host has no locks. Pages without https have neither locks nor randomUUID. */
export const newLockName = (): string => (hasLocks() ? `headwise ${crypto.randomUUID()}` : "");

/** Acquires the lock for good. Fulfilled when it is held; at once if the host has or grants no locks, or the lock has no name. */
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

/** Calls back when the lock is no longer held. */
export function whenFree(name: string, callback: () => void): void {
  manager()
    ?.request(name, callback)
    .catch(() => (isDenied = true));
}
