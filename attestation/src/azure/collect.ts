import { bytesEqual, toHex } from "@cmcp/boundary";
import {
  parseHclReport,
  parseTdxQuote,
  parseSnpReport,
  type Evidence,
  type EvidenceParts,
  type HclReport,
  type Platform,
} from "@cmcp/appraise/evidence";
import { readPlatform } from "../machine/read-platform.ts";
import { AZURE_KEY_HANDLE, persistentKey } from "../tpm/commands/attestation-key.ts";
import { readNv } from "../tpm/commands/nv.ts";
import type { Tpm } from "../tpm/commands/tpm.ts";
import { quoteRegisters, withTpm, type TpmSource } from "../tpm/collect.ts";
import { launchOfTdReport } from "../tdx/launch-carrier.ts";
import { fetchAmdCertificates, fetchTdQuote, type MetadataService } from "./metadata.ts";

/** Where the paravisor leaves its report. */
export const HCL_REPORT_INDEX = 0x01400001;

/** Where the parts of Azure's evidence come from. */
export interface AzureSource extends TpmSource {
  readonly metadata: MetadataService;
}

type Endorsements = Pick<Extract<EvidenceParts, { provider: "azure-cvm" }>, "tdQuote" | "certificates">;

/**
 * Collects from an Azure confidential VM. The hardware reports on the paravisor and names the attestation key of the
 * virtual TPM inside it. That key quotes the registers, and carries the report data. What the metadata service adds
 * to a hardware report does not change while the report does not, so it is asked once for each.
 */
export class AzureCollector {
  readonly #source: AzureSource;
  #endorsed: { readonly hardwareReport: Uint8Array; readonly endorsements: Endorsements } | null = null;

  constructor(source: AzureSource) {
    this.#source = source;
  }

  /**
   * @param reportData 64 bytes
   * @param now milliseconds since the epoch
   * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
   */
  async collect(reportData: Uint8Array, now: number): Promise<Evidence> {
    const { hclReport, tpm } = await withTpm(
      this.#source,
      async (device) => await readVirtualTpm(device, reportData, this.#source.eventLogPath),
    );
    const parsed = readPlatform("the paravisor's report", () => parseHclReport(hclReport));
    const endorsements = await this.#endorse(parsed);
    return {
      ...describe(parsed, endorsements),
      reportData: Uint8Array.from(reportData),
      generatedAt: now,
      parts: { provider: "azure-cvm", hclReport, ...endorsements, tpm },
    };
  }

  async #endorse({ kind, hardwareReport }: HclReport): Promise<Endorsements> {
    if (this.#endorsed !== null && bytesEqual(this.#endorsed.hardwareReport, hardwareReport))
      return this.#endorsed.endorsements;
    const { metadata } = this.#source;
    const endorsements =
      kind === "tdx"
        ? { tdQuote: await fetchTdQuote(metadata, hardwareReport), certificates: [] }
        : { tdQuote: null, certificates: await fetchAmdCertificates(metadata) };
    this.#endorsed = { hardwareReport: hardwareReport.slice(), endorsements };
    return endorsements;
  }
}

async function readVirtualTpm(device: Tpm, reportData: Uint8Array, eventLogPath: string | null) {
  const hclReport = await readNv(device, HCL_REPORT_INDEX);
  // No certificate: the key is vouched for by the hardware report, which carries the hash of its name.
  const key = await persistentKey(device, AZURE_KEY_HANDLE, []);
  return { hclReport, tpm: await quoteRegisters(device, key, reportData, eventLogPath) };
}

/** The platform a paravisor's report is of, and the paravisor's measurement, as the virtual TPM holds them. */
export async function readParavisor(tpm: Tpm): Promise<{ readonly platform: Platform; readonly measurement: string }> {
  const hclReport = await readNv(tpm, HCL_REPORT_INDEX);
  const { kind, hardwareReport } = readPlatform("the paravisor's report", () => parseHclReport(hclReport));
  if (kind === "tdx")
    return { platform: "intel-tdx", measurement: `sha384:${toHex(launchOfTdReport(hardwareReport).mrTd)}` };
  const { measurement } = readPlatform("the hardware report", () => parseSnpReport(hardwareReport).unverified);
  return { platform: "azure-cvm-sev-snp", measurement: `sha384:${toHex(measurement)}` };
}

/** The paravisor's measurement: what was started inside is in the virtual TPM's registers. */
function describe(
  { kind, hardwareReport }: HclReport,
  { tdQuote }: Endorsements,
): { platform: Platform; measurement: string; firmware: string } {
  if (kind === "sev-snp") {
    const { measurement, currentVersion, reportedTcb } = readPlatform(
      "the hardware report",
      () => parseSnpReport(hardwareReport).unverified,
    );
    const { major, minor, build } = currentVersion;
    return {
      platform: "azure-cvm-sev-snp",
      measurement: `sha384:${toHex(measurement)}`,
      firmware: `SEV-SNP firmware ${major}.${minor}.${build}, TCB ${toHex(reportedTcb)}, Azure paravisor`,
    };
  }
  const { claimed, version } = readPlatform("the TDX quote", () => parseTdxQuote(tdQuote ?? new Uint8Array()));
  return {
    platform: "intel-tdx",
    measurement: `sha384:${toHex(claimed.mrTd)}`,
    firmware: `TDX module ${claimed.teeTcbSvn[1]}.${claimed.teeTcbSvn[0]}, quote v${version}, Azure paravisor`,
  };
}
