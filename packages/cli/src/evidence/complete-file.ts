import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { CmcpError, untrusted, type ErrorCode } from "@cmcp/boundary";
import {
  completeEvidence,
  readEvidenceFile,
  readEvidenceJson,
  vendorRequestsFor,
  verifyEvidenceParts,
  type AppraisalPolicy,
  type Product,
} from "@cmcp/appraise";
import type { Terminal } from "../command.ts";
import { readEvidenceInput } from "../malformed-input.ts";
import { replaceFile } from "../replace-file.ts";
import { readFileOf } from "../read-file.ts";
import { askVendors } from "./vendor-services.ts";

/** How an evidence file is completed. */
export interface Completion {
  readonly product: Product | undefined;
  readonly service: string | undefined;
  /** Whose roots what is fetched is held to. */
  readonly policy: AppraisalPolicy;
  readonly at: Date;
}

/** What must not be true of a file that is kept. Whether the evidence is acceptable is the verifier's to say. */
const UNSOUND: readonly (ErrorCode | undefined)[] = [
  "EVIDENCE_MALFORMED",
  "EVIDENCE_CHAIN_INVALID",
  "EVIDENCE_ROOT_NOT_TRUSTED",
  "EVIDENCE_EXPIRED",
  "EVIDENCE_SIGNATURE_INVALID",
  "EVIDENCE_COLLATERAL_INVALID",
];

/**
 * Puts what the vendor answers into an evidence file, and replaces the file only if everything in it then holds.
 * @throws MalformedInput for a file that is no evidence; CmcpError `EVIDENCE_COLLATERAL_UNAVAILABLE`, `USAGE`, or the
 * code of what does not hold
 */
export async function completeFile(
  path: string,
  { product, service, policy, at }: Completion,
  terminal: Terminal,
): Promise<void> {
  const present = untrusted(await readFileOf(path));
  const answers = await askVendors(
    readEvidenceInput(() => vendorRequestsFor(readEvidenceFile(present).parts, product)),
    service,
    terminal,
  );
  const of = (is: "certificate" | "collateral"): Uint8Array[] =>
    answers.filter((answer) => answer.is === is).map(({ bytes }) => bytes);
  const bytes = Buffer.from(
    `${JSON.stringify(completeEvidence(readEvidenceJson(present), { certificates: of("certificate"), collateral: of("collateral") }))}\n`,
  );
  await requireSound(bytes, policy, at);
  await replaceFile(path, bytes);
}

async function requireSound(bytes: Uint8Array, policy: AppraisalPolicy, at: Date): Promise<void> {
  const { parts, collateral } = readEvidenceFile(untrusted(bytes));
  if (parts.provider === "software-only") return;
  const { checks } = await verifyEvidenceParts({ parts, collateral }, { policy, expected: {}, at }, nodeCrypto);
  const unsound = checks.find(({ code }) => UNSOUND.includes(code));
  if (unsound !== undefined)
    throw new CmcpError(
      unsound.code ?? "EVIDENCE_COLLATERAL_INVALID",
      `the file is unchanged: with the fetched data, ${unsound.name}: ${unsound.why}`,
    );
}
