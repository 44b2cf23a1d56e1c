import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CmcpError } from "@cmcp/boundary";
import { hybridVsockDialer } from "@cmcp/wire";
import { guestReport } from "./report.ts";

/** Port of the guest on which {@link file://./guest/timed-enclave.ts} answers. */
export const VITALS_PORT = 5001;
/** Times a guest is asked that does not listen there yet, and the pause before each, in milliseconds: it listens to the host first. */
const MAX_ATTEMPTS = 100;
const ATTEMPT_MS = 50;

/** A guest's time and memory, as it says itself. */
export interface Vitals {
  /** Seconds from the kernel's start. */
  readonly uptimeSeconds: number;
  /** Bytes of the machine's memory that are in use: the unpacked image, the kernel, the runtime. */
  readonly usedBytes: number;
  /** Resident bytes of the runtime. */
  readonly residentBytes: number;
}

/** Asks a guest whose vsock daemon is in `folder`. @throws CmcpError `WIRE_UNREACHABLE` when it never listens */
export async function askVitals(folder: string): Promise<Vitals> {
  const dialer = hybridVsockDialer(join(folder, "vsock"), VITALS_PORT);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await guestReport(dialer)) as Vitals;
    } catch (thrown) {
      if (!(thrown instanceof CmcpError && thrown.code === "WIRE_UNREACHABLE") || attempt === MAX_ATTEMPTS)
        throw thrown;
      await delay(ATTEMPT_MS);
    }
  }
}
