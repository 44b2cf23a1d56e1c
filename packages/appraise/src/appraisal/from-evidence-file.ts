import { CmcpError, untrusted } from "@cmcp/boundary";
import { readEvidenceFile } from "../evidence/file/read.ts";
import type { EvidencePlatform } from "./requirements.ts";
import { withCertificates, type EndorsedParts, type HardwareParts } from "../evidence/parts.ts";

/** Evidence as files. Its sender chooses every byte. */
export interface EvidenceFiles {
  /** The report, quote or evidence document. */
  readonly evidence: Uint8Array;
  /** Certificates; for a TPM also signature, key and register files beside a bare quote. */
  readonly certificates: readonly Uint8Array[];
  /** Revocation lists, TCB info and the like, in the vendor's own bytes. */
  readonly collateral: readonly Uint8Array[];
  readonly eventLog?: Uint8Array;
}

const FORMAT = '"cmcp-evidence-v1"';
/** The format's name is written first; a reader of another order finds it here all the same. */
const MAX_LOOKED_THROUGH = 64 * 1024;
const OPENING_BRACE = 0x7b;

/** True for bytes that say they are an evidence file. */
export function looksLikeEvidenceFile(bytes: Uint8Array): boolean {
  return (
    bytes.find((byte) => byte > 0x20) === OPENING_BRACE &&
    new TextDecoder("latin1").decode(bytes.subarray(0, MAX_LOOKED_THROUGH)).includes(FORMAT)
  );
}

/**
 * The parts of an evidence file and of the files beside it. An event log beside it replaces its own.
 * @throws CmcpError `EVIDENCE_MALFORMED`, also for a file of another platform
 */
export function partsOfEvidenceFile(
  platform: EvidencePlatform,
  { evidence, certificates, collateral, eventLog }: EvidenceFiles,
): EndorsedParts {
  const file = readEvidenceFile(untrusted(evidence));
  if (file.parts.provider !== platform)
    throw new CmcpError("EVIDENCE_MALFORMED", `evidence file: it is of ${file.parts.provider}, not of ${platform}`);
  const parts = eventLog === undefined ? file.parts : withEventLog(file.parts, eventLog);
  return withCertificates({ parts, collateral: [...file.collateral, ...collateral] }, certificates);
}

function withEventLog(parts: HardwareParts, eventLog: Uint8Array): HardwareParts {
  switch (parts.provider) {
    case "sev-snp":
      return parts;
    case "tdx":
      return { ...parts, eventLog };
    case "tpm":
    case "azure-cvm":
      return { ...parts, tpm: { ...parts.tpm, eventLog } };
  }
}
