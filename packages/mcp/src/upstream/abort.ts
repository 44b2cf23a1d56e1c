/** `promise`, or the signal's reason as soon as it aborts. The promise itself goes on, its end then unseen. */
export async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
  });
  // First in the race, so that an abort that came before wins.
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Resolves as soon as one of the signals aborts, and leaves nothing at the others. */
export async function waitForAbort(...signals: readonly AbortSignal[]): Promise<void> {
  if (signals.some(({ aborted }) => aborted)) return;
  const { promise, resolve } = Promise.withResolvers<unknown>();
  for (const signal of signals) signal.addEventListener("abort", resolve, { once: true });
  await promise;
  for (const signal of signals) signal.removeEventListener("abort", resolve);
}
