import { once } from "node:events";
import type { Writable } from "node:stream";

/**
 * Resolves when a writable that reported back-pressure takes bytes again.
 * @throws when it errors or closes first, or when `signal` fires: a closed writable never drains
 */
export async function waitForDrain(writable: Writable, signal?: AbortSignal): Promise<void> {
  if (!writable.writableNeedDrain) return;
  const gone = new AbortController();
  const closed = (): void => gone.abort(new Error("closed before it drained"));
  writable.once("close", closed);
  try {
    if (writable.destroyed) throw new Error("closed before it drained");
    await once(writable, "drain", {
      signal: signal === undefined ? gone.signal : AbortSignal.any([signal, gone.signal]),
    });
  } finally {
    writable.off("close", closed);
  }
}
