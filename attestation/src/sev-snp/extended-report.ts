import { parseCertificateTable } from "../configfs-tsm/certificate-table.ts";
import { REPORT_BYTES } from "./report.ts";

/** A report as it was handed over, and what stood behind it. */
export interface ExtendedReport {
  readonly report: Uint8Array;
  /** The host's certificate table. */
  readonly certificates: readonly Uint8Array[];
}

/**
 * Takes apart what guest tools store of an extended request: the report and, right behind it, the host's certificate
 * table with at least one certificate. Anything else is left whole, for the report's own reader to judge.
 */
export function splitExtendedReport(bytes: Uint8Array): ExtendedReport {
  const table = bytes.subarray(REPORT_BYTES);
  return holdsCertificates(table) ? { report: bytes.subarray(0, REPORT_BYTES), certificates: [table] } : { report: bytes, certificates: [] };
}

function holdsCertificates(table: Uint8Array): boolean {
  try {
    return parseCertificateTable(table).size > 0;
  } catch {
    // Something else than a table: then the length of the whole is wrong.
    return false;
  }
}
