import { toHex } from "@cmcp/boundary";
import { azureEvidenceOf, tpmEvidenceOf } from "../parts.ts";
import { describeAzureCvmEvidence } from "../../azure/describe.ts";
import { describeEventLog, parseEventLog, type Row } from "../../event-log/index.ts";
import type { EvidenceParts } from "../evidence.ts";
import { readCertificates } from "../../sev-snp/certificates.ts";
import { describeSnpReport } from "../../sev-snp/describe.ts";
import { parseSnpReport } from "../../sev-snp/report.ts";
import { describeTdxQuote } from "../../tdx/describe.ts";
import { parseTdxQuote } from "../../tdx/quote.ts";
import { describeTpmEvidence, readRows } from "../../tpm/describe.ts";
import type { EvidenceFile } from "./read.ts";

/** An evidence file for a person to read: what it says of itself, then what is in it. Nothing of it was verified. */
export function describeEvidenceFile(file: EvidenceFile): readonly Row[] {
  const { parts, platform, generatedAt, claimedReportData, launchDocument, rootEntry, binding, collateral, log } = file;
  return [
    { label: "evidence file", value: `${parts.provider}, for a claim of ${platform}` },
    { label: "made", value: generatedAt },
    { label: "report data, as it says", value: toHex(claimedReportData) },
    { label: "launch document", value: launchDocument === null ? "none" : `${launchDocument.length} bytes` },
    ...(rootEntry === null ? [] : [{ label: "root entry", value: textOf(rootEntry["entry_hash"]) }]),
    ...(binding === null ? [] : [{ label: "nonce", value: textOf(binding["nonce"]) }]),
    ...(log === null ? [] : [{ label: "place in the log", value: `record ${log.index}` }]),
    { label: "collateral", value: `${collateral.length} files` },
    ...partsRows(parts),
  ];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "unreadable: no text";
}

function partsRows(parts: EvidenceParts): readonly Row[] {
  switch (parts.provider) {
    case "software-only":
      return [];
    case "sev-snp":
      return [
        ...readRows("report", () => describeSnpReport(parseSnpReport(parts.report))),
        ...certificateRows(parts.certificates),
      ];
    case "tdx": {
      const { eventLog } = parts;
      return [
        ...readRows("quote", () => describeTdxQuote(parseTdxQuote(parts.quote))),
        ...(eventLog === null ? [] : readRows("event log", () => describeEventLog(parseEventLog(eventLog), "cc"))),
      ];
    }
    case "tpm":
      return describeTpmEvidence(tpmEvidenceOf(parts.tpm));
    case "azure-cvm":
      return describeAzureCvmEvidence(azureEvidenceOf(parts));
  }
}

function certificateRows(certificates: readonly Uint8Array[]): readonly Row[] {
  return readRows("certificates", () =>
    readCertificates(certificates).map(({ subjectText, issuerText, notAfter }) => ({
      label: "certificate",
      value: `${subjectText}, issued by ${issuerText}, until ${notAfter.toISOString()}`,
    })),
  );
}
