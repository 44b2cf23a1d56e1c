import { CmcpError } from "@cmcp/boundary";

/**
 * Parses something a platform handed over; what cannot be read is a report that cannot be had.
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
 */
export function readPlatform<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    const why = thrown instanceof CmcpError ? thrown.message : "unreadable";
    throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", `${what} is not usable: ${why}`, { cause: thrown });
  }
}
