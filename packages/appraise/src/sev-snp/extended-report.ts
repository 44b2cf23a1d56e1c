import { CERTIFICATE_ENTRY_BYTES, parseCertificateTable } from "./certificate-table.ts";
import { isZero } from "@cmcp/boundary";
import { REPORT_BYTES } from "./report.ts";

/** A report as received, and the certificate table that follows it. */
export interface ExtendedReport {
  readonly report: Uint8Array;
  /** The host's certificate table; none where it is empty. */
  readonly certificates: readonly Uint8Array[];
}

/**
 * Takes apart what guest tools store of an extended request: the report and, right behind it, the host's certificate
 * table. The table holds at least one certificate; a host without any gives zeros. Anything else is left whole, for
 * the report's own reader to judge.
 */
export function splitExtendedReport(bytes: Uint8Array): ExtendedReport {
  const report = bytes.subarray(0, REPORT_BYTES);
  const table = bytes.subarray(REPORT_BYTES);
  if (table.length >= CERTIFICATE_ENTRY_BYTES && isZero(table)) return { report, certificates: [] };
  return holdsCertificates(table) ? { report, certificates: [table] } : { report: bytes, certificates: [] };
}

function holdsCertificates(table: Uint8Array): boolean {
  try {
    return parseCertificateTable(table).size > 0;
  } catch {
    // Something else than a table: then the length of the whole is wrong.
    return false;
  }
}
