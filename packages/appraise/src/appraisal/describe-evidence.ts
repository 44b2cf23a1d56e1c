import { CmcpError, asCmcpError, untrusted } from "@cmcp/boundary";
import { describeAzureCvmEvidence } from "../azure/describe.ts";
import { readAzureCvmEvidence } from "../azure/read-evidence.ts";
import { describeEvidenceFile } from "../evidence/file/describe.ts";
import { readEvidenceFile } from "../evidence/file/read.ts";
import { describeEventLog, parseEventLog, type Row } from "../event-log/index.ts";
import { describeSnpReport } from "../sev-snp/describe.ts";
import { splitExtendedReport } from "../sev-snp/extended-report.ts";
import { parseSnpReport } from "../sev-snp/report.ts";
import { parseCollateral } from "../tdx/collateral.ts";
import { describeTdxCollateral, describeTdxQuote } from "../tdx/describe.ts";
import { parseTdxQuote } from "../tdx/quote.ts";
import { describeAttestationKey, describeTpmEvidence } from "../tpm/describe.ts";
import { readTpmEvidence } from "../tpm/read-evidence.ts";
import { evidenceBytes } from "./evidence-text.ts";
import { Certificate } from "../x509/certificate.ts";
import { describeCertificate, describeRevocationList } from "../x509/describe.ts";
import { looksLikePem, parsePemCertificates } from "../x509/pem.ts";
import { RevocationList } from "../x509/revocation-list.ts";

const MAX_CERTIFICATES = 16;

/** Everything that can be shown, in the order it is tried: the stricter form first. */
const READERS = {
  "evidence-file": (bytes: Uint8Array) => describeEvidenceFile(readEvidenceFile(untrusted(bytes))),
  "sev-snp": (bytes: Uint8Array) =>
    describeSnpReport(parseSnpReport(splitExtendedReport(evidenceBytes("sev-snp", bytes)).report)),
  tdx: (bytes: Uint8Array) => describeTdxQuote(parseTdxQuote(evidenceBytes("tdx", bytes))),
  certificates: (bytes: Uint8Array) =>
    (looksLikePem(bytes) ? parsePemCertificates(bytes, MAX_CERTIFICATES) : [Certificate.parse(bytes)]).flatMap(
      describeCertificate,
    ),
  "revocation-list": (bytes: Uint8Array) => describeRevocationList(RevocationList.parse(bytes)),
  "event-log": (bytes: Uint8Array) => describeEventLog(parseEventLog(bytes), "pcr"),
  "cc-event-log": (bytes: Uint8Array) => describeEventLog(parseEventLog(bytes), "cc"),
  "azure-cvm": (bytes: Uint8Array) => describeAzureCvmEvidence(readAzureCvmEvidence(evidenceBytes("azure-cvm", bytes))),
  collateral: (bytes: Uint8Array) => describeTdxCollateral(parseCollateral([bytes])),
  tpm: (bytes: Uint8Array) => describeTpmEvidence(readTpmEvidence(evidenceBytes("tpm", bytes))),
  "attestation-key": (bytes: Uint8Array) => describeAttestationKey(bytes),
} as const satisfies Readonly<Record<string, (bytes: Uint8Array) => readonly Row[]>>;

/** Kinds of files that can be shown. */
export const EVIDENCE_KINDS = Object.keys(READERS) as readonly (keyof typeof READERS)[];
export type EvidenceKind = keyof typeof READERS;

/** A file for a person to read. It shows what the bytes say; nothing of it was verified. */
export interface EvidenceDescription {
  readonly kind: EvidenceKind;
  readonly rows: readonly Row[];
}

/**
 * Reads a file as what it is, or as what it is said to be.
 * @throws CmcpError `EVIDENCE_MALFORMED` when it is nothing that is known here
 */
export function describeEvidence(bytes: Uint8Array, kind?: EvidenceKind): EvidenceDescription {
  if (kind !== undefined) return { kind, rows: READERS[kind](bytes) };
  for (const tried of EVIDENCE_KINDS) {
    try {
      const rows = READERS[tried](bytes);
      // Forms of several parts are read part by part; one whose first part is unreadable is another form.
      if (!(rows[0]?.value ?? "unreadable").startsWith("unreadable")) return { kind: tried, rows };
    } catch (thrown) {
      // Another form, then; anything that is not about the form is a bug.
      if (!(thrown instanceof CmcpError)) throw asCmcpError(thrown, "INTERNAL", "a reader failed");
    }
  }
  throw new CmcpError("EVIDENCE_MALFORMED", `the file is none of ${EVIDENCE_KINDS.join(", ")}`);
}
