import { createInterface } from "node:readline";
import type { Dialer } from "@cmcp/wire";

/** Milliseconds the guest may take to come to its report. */
const REPORT_MS = 600_000;

/** What the guest's script handed to {@link file://./guest/report.ts}. */
export async function guestReport(dialer: Dialer): Promise<unknown> {
  const stream = await dialer.dial(AbortSignal.timeout(REPORT_MS));
  try {
    for await (const line of createInterface({ input: stream })) return JSON.parse(line);
    throw new Error("the guest reported nothing");
  } finally {
    stream.destroy();
  }
}
