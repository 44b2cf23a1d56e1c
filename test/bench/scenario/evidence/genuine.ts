import { sharedFile } from "@cmcp/appraise/testing";
import {
  appraisalPolicySchema,
  type AppraisalPolicy,
  type EvidenceExpectations,
  type EvidenceFiles,
  type EvidencePlatform,
} from "@cmcp/appraise";
import { toHex } from "@cmcp/boundary";
import { TARGETS } from "../../plan.ts";

/** Evidence with everything that makes it verify. */
export interface Sample {
  readonly name: string;
  readonly platform: EvidencePlatform;
  readonly files: EvidenceFiles;
  readonly policy: AppraisalPolicy;
  readonly expected: EvidenceExpectations;
  readonly at: Date;
  /** What verifying may take, in milliseconds. */
  readonly boundMs: number;
}

const AT = new Date("2026-08-20T00:00:00Z");
const NAMES = { snp: "SNP report of Milan with its VCEK", tdx: "TDX quote with collateral" } as const;

/** Names of the samples that need the corpus. */
export const GENUINE: readonly string[] = Object.values(NAMES);

/** A file of the corpus. Callers have looked that the corpus is there. */
function file(path: string): Uint8Array<ArrayBuffer> {
  const bytes = sharedFile(`evidence/${path}`);
  if (bytes === null) throw new Error("the corpus of genuine evidence is not here");
  return bytes;
}

/** Fields at their offsets, of a report or quote that the samples expect to be as it is. */
function field(bytes: Uint8Array, offset: number, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes.subarray(offset, offset + length));
}

// AMD 56860, table ATTESTATION_REPORT: REPORT_DATA, MEASUREMENT.
function snp(): Sample {
  const report = file("amd/reports/milan-v3-vcek-19ade12877.report.bin");
  return {
    name: NAMES.snp,
    platform: "sev-snp",
    files: { evidence: report, certificates: [file("amd/certs/sev-vcek-milan-b4165c7b5d.der")], collateral: [] },
    policy: appraisalPolicySchema.parse({}),
    expected: { reportData: field(report, 0x50, 64), measurements: [toHex(field(report, 0x90, 48))] },
    at: AT,
    boundMs: TARGETS.verifySnpMs,
  };
}

// Intel TDX DCAP quoting library API, A.3.2 TD Quote Body: it begins at byte 48 of a version 4 quote.
function tdx(): Sample {
  const quote = file("intel/quotes/v4-b0c06f000000-0c699dd453.quote.bin");
  const ofBody = (offset: number, length: number): Uint8Array<ArrayBuffer> => field(quote, 48 + offset, length);
  return {
    name: NAMES.tdx,
    platform: "tdx",
    files: {
      evidence: quote,
      certificates: [],
      collateral: [file("intel/collateral/mpc__crates_test-utils_assets_collateral.json")],
    },
    policy: appraisalPolicySchema.parse({
      required: ["report_data", "measurement", "tcb", "revocation"],
      tdx: { mrconfigid: toHex(ofBody(184, 48)), rtmr3: toHex(ofBody(472, 48)) },
    }),
    expected: { reportData: ofBody(520, 64), measurements: [toHex(ofBody(136, 48))] },
    at: AT,
    boundMs: TARGETS.verifyTdxMs,
  };
}

/** Genuine evidence of processors. Call it only where the corpus is. */
export function genuineSamples(): readonly Sample[] {
  return [snp(), tdx()];
}
