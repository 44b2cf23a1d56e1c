import { bytesEqual, CmcpError, toHex } from "@cmcp/boundary";
import {
  parseCertificateTable,
  parseSnpReport,
  REPORT_BYTES,
  REPORT_DATA_BYTES,
  type CertificateKind,
  type Evidence,
  type SnpReportFields,
} from "@cmcp/appraise/evidence";
import { readTsmReport, type TsmSource } from "../configfs-tsm/report.ts";
import { readPlatform } from "../machine/read-platform.ts";

/** The certificates in the order of a chain, whatever order the host has them in. */
const LEAF_FIRST: readonly CertificateKind[] = ["vcek", "vlek", "ask", "ark"];

/** Where reports come from; set by tests. */
export type SnpSource = Partial<Omit<TsmSource, "provider">>;

/**
 * A report of AMD SEV-SNP over configfs-tsm, with the certificates the host put beside it; there may be none.
 *
 * @param now milliseconds since the epoch
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function collectSevSnp(reportData: Uint8Array, now: number, source: SnpSource = {}): Promise<Evidence> {
  const { report, certificates, fields } = await readSnpReport(reportData, source);
  const { major, minor, build } = fields.currentVersion;
  return {
    platform: "amd-sev-snp",
    measurement: `sha384:${toHex(fields.measurement)}`,
    reportData: Uint8Array.from(reportData),
    firmware: `SEV-SNP firmware ${major}.${minor}.${build}, TCB ${toHex(fields.reportedTcb)}`,
    generatedAt: now,
    parts: { provider: "sev-snp", report, certificates },
  };
}

/**
 * What the processor says of this guest, in a report made for nobody. It reaches the guest over a channel that only
 * the firmware and the guest have the key of, so the host cannot have put another one in its place.
 *
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function readLocalSnpReport(source: SnpSource = {}): Promise<SnpReportFields> {
  return (await readSnpReport(new Uint8Array(REPORT_DATA_BYTES), source)).fields;
}

interface ReadReport {
  readonly report: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly fields: SnpReportFields;
}

async function readSnpReport(reportData: Uint8Array, source: SnpSource): Promise<ReadReport> {
  const { outblob, auxblob } = await readTsmReport({ ...source, provider: "sev_guest" }, reportData);
  // Some kernels hand out the whole response buffer; the report is its beginning.
  const report = outblob.slice(0, REPORT_BYTES);
  const fields = readPlatform("the report", () => parseSnpReport(report).unverified);
  if (!bytesEqual(fields.reportData, reportData))
    throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "the report carries other report data than was asked for");
  const table = readPlatform("the host's certificate table", () => parseCertificateTable(auxblob ?? new Uint8Array()));
  return { report, certificates: LEAF_FIRST.flatMap((kind) => table.get(kind) ?? []), fields };
}
