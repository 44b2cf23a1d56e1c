import process from "node:process";

/**
 * Catches SIGHUP from now on, so that at no time it ends the gateway. A signal that comes before there is something
 * to do waits for it. Signals that come while it is done make it run once more: signals sent to several processes may
 * arrive from each.
 * @returns takes what is to be done, which never rejects
 */
export function reloadSignal(): (reload: () => Promise<void>) => void {
  let reload: (() => Promise<void>) | undefined;
  let due = false;
  let running = false;
  const run = async (): Promise<void> => {
    if (reload === undefined || running) return;
    running = true;
    while (due) {
      due = false;
      await reload();
    }
    running = false;
  };
  process.on("SIGHUP", () => {
    due = true;
    void run();
  });
  return (action) => {
    reload = action;
    void run();
  };
}
