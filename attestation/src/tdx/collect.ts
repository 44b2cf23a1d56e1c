import { bytesEqual, CmcpError, toHex } from "@cmcp/boundary";
import { readTsmReport, type TsmSource } from "../configfs-tsm/report.ts";
import { parseTdxQuote, type Evidence } from "@cmcp/appraise/evidence";
import { readEventLog } from "../machine/read-event-log.ts";
import { readPlatform } from "../machine/read-platform.ts";

/** The event log of a TD: the data of the ACPI table that names it (UEFI section 38.4). */
export const CCEL_PATH = "/sys/firmware/acpi/tables/data/CCEL";

/** What is read besides the quote; set by tests. */
export interface TdxSource extends Partial<Omit<TsmSource, "provider">> {
  readonly eventLogPath?: string;
}

/**
 * A quote of Intel TDX over configfs-tsm. The quote comes from the host's quoting service: here it is only looked
 * at, for its form and for the report data it carries; a verifier believes what its signatures show.
 *
 * @param now milliseconds since the epoch
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`, by name for a quote in the form of a DICE token (CBOR Web Token).
 */
export async function collectTdx(reportData: Uint8Array, now: number, source: TdxSource = {}): Promise<Evidence> {
  const { eventLogPath = CCEL_PATH, ...tsm } = source;
  const { outblob } = await readTsmReport({ ...tsm, provider: "tdx_guest" }, reportData);
  const { version, claimed } = readPlatform("the quote", () => parseTdxQuote(outblob));
  if (!bytesEqual(claimed.reportData, reportData))
    throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "the quote carries other report data than was asked for");
  return {
    platform: "intel-tdx",
    measurement: `sha384:${toHex(claimed.mrTd)}`,
    reportData: Uint8Array.from(reportData),
    firmware: `TDX module ${claimed.teeTcbSvn[1]}.${claimed.teeTcbSvn[0]}, quote v${version}`,
    generatedAt: now,
    parts: { provider: "tdx", quote: outblob, eventLog: await readEventLog(eventLogPath) },
  };
}
