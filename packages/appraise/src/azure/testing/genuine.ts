import { sharedFile } from "../../testing/shared.ts";
import type { AzureCvmEvidence } from "../evidence.ts";
import { readAzureCvmEvidence } from "../read-evidence.ts";

/** A genuine bundle of the corpus whose whole chain holds. */
export interface GenuineBundle {
  readonly name: string;
  readonly evidence: AzureCvmEvidence;
  /** What its quote was made for. */
  readonly reportData: Uint8Array;
  /** A time at which its certificates were valid. */
  readonly at: Date;
  /** Checks that fail under the strict default, with their codes: what is genuine need not be acceptable. */
  readonly unacceptable: readonly string[];
}

const FOLDER = "evidence/azure";
const SNP = "trustee-az-snp-vtpm";
const TDX = "trustee-az-tdx-vtpm";
const CHALLENGE = new TextEncoder().encode("challenge");
const AT = new Date("2025-06-01T00:00:00Z");

export function azureFile(path: string): Uint8Array<ArrayBuffer> {
  return sharedFile(`${FOLDER}/${path}`) ?? new Uint8Array();
}

/** Every bundle of the corpus. Call it only where the corpus is. */
export function genuineBundles(): readonly GenuineBundle[] {
  return [
    {
      name: "SNP, bytes in JSON",
      evidence: readAzureCvmEvidence(azureFile(`${SNP}/evidence-v0.json`)),
      reportData: CHALLENGE,
      at: AT,
      unacceptable: [],
    },
    {
      name: "SNP, numbered form",
      evidence: readAzureCvmEvidence(azureFile(`${SNP}/evidence-v1.json`)),
      reportData: CHALLENGE,
      at: AT,
      unacceptable: [],
    },
    {
      name: "SNP on Genoa",
      evidence: readAzureCvmEvidence(azureFile(`${SNP}/evidence-genoa.json`)),
      reportData: Buffer.from(
        "0218488bae25d2509232bf676f1a66a30d7372add909109b36016ef136f2938ca05475f8b46094de6b64270ea35d950f",
        "hex",
      ),
      at: AT,
      unacceptable: [],
    },
    {
      name: "SNP, the report as the NV index holds it",
      evidence: readAzureCvmEvidence(azureFile(`${SNP}/hcl-report.bin`), [
        azureFile(`${SNP}/quote.bin`),
        azureFile(`${SNP}/vcek.pem`),
      ]),
      reportData: CHALLENGE,
      at: AT,
      unacceptable: [
        "paravisor report version: EVIDENCE_POLICY_VIOLATION",
        "paravisor platform memory alias check: EVIDENCE_POLICY_VIOLATION",
        "paravisor reported TCB: EVIDENCE_TCB_NOT_ACCEPTED",
        "paravisor launch TCB: EVIDENCE_TCB_NOT_ACCEPTED",
        "paravisor committed firmware: EVIDENCE_TCB_NOT_ACCEPTED",
      ],
    },
    {
      name: "SNP, first gateways",
      evidence: readAzureCvmEvidence(azureFile("cmcp/cmcp_evidence.bin")),
      reportData: Buffer.from(Buffer.from(azureFile("cmcp/cmcp_nonce.hex")).toString().trim(), "hex"),
      at: new Date("2026-08-15T00:00:00Z"),
      // Its quote is over PCR 16 alone, which software can reset: it says nothing of the image.
      unacceptable: ["PCR selection: EVIDENCE_POLICY_VIOLATION"],
    },
    {
      name: "TDX",
      evidence: readAzureCvmEvidence(azureFile(`${TDX}/evidence-v0.json`)),
      reportData: CHALLENGE,
      at: AT,
      unacceptable: [],
    },
  ];
}

/**
 * An HCL report of version 1 request data as a paravisor would write it that uses version 2: a bitmap of four bytes
 * before the runtime data.
 */
export function asVersion2(hclReport: Uint8Array): Uint8Array {
  const BITMAP = 4;
  const [LENGTH, DATA, RUNTIME_DATA] = [0x8, 0x4c0, 0x4d4];
  const changed = Uint8Array.from([
    ...hclReport.subarray(0, RUNTIME_DATA),
    7,
    0,
    0,
    0,
    ...hclReport.subarray(RUNTIME_DATA),
  ]);
  const view = new DataView(changed.buffer);
  for (const at of [LENGTH, DATA]) view.setUint32(at, view.getUint32(at, true) + BITMAP, true);
  view.setUint32(DATA + 4, 2, true);
  return changed;
}
