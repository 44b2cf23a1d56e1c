import { CmcpError } from "@cmcp/boundary";
import { MAX_LOG_BYTES } from "@cmcp/appraise/evidence";
import { readBounded } from "./read-bounded.ts";

/**
 * An event log as the kernel shows it: `/sys/kernel/security/tpm0/binary_bios_measurements` or the data of the CCEL
 * table. `null` where there is none, or an empty one: the registers then stay unexplained, which a verifier says.
 *
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` for one that is there and cannot be used.
 */
export async function readEventLog(path: string): Promise<Uint8Array | null> {
  let log: Uint8Array;
  try {
    log = await readBounded(path, MAX_LOG_BYTES);
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return null;
    throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "the event log cannot be read", { cause: thrown });
  }
  if (log.length > MAX_LOG_BYTES)
    throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", `the event log is larger than ${MAX_LOG_BYTES} bytes`);
  return log.length === 0 ? null : log;
}
