import { verifySoftware, type EvidenceFile } from "@cmcp/appraise";
import { parseFirmwareText, type Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import type { Expectations } from "../expectations.ts";
import { checkReportDataOfFile } from "./binding.ts";
import type { ClaimContext } from "./context.ts";
import { readFileOfClaim, type EvidenceRecord } from "./evidence.ts";
import { withLaunchOf } from "./launch-in-evidence.ts";
import { checkRootEntry } from "./root-entry.ts";

/** A claim of software-only has no hardware evidence and is accepted only when told to. */
export function checkSoftware(claim: Claim, expected: Expectations, list: Checklist): void {
  const { runtime } = claim.trace;
  const firmware = parseFirmwareText(runtime.firmware_version);
  const report =
    firmware === undefined
      ? { why: "the firmware text has not the documented form" }
      : verifySoftware({
          measurement: runtime.measurement,
          firmware: firmware.firmware,
          hasEvidence: claim.gateway.attestation_evidence !== undefined,
        });
  checkStatement(report, { what: "claim", allowSoftwareOnly: expected.allowSoftwareOnly }, list);
}

/** What a claim or an instance's report says of software-only: it has the form, and was asked for. */
export function checkStatement(
  statement: ReturnType<typeof verifySoftware>,
  { what, allowSoftwareOnly }: { readonly what: "claim" | "report"; readonly allowSoftwareOnly: boolean },
  list: Checklist,
): void {
  if ("why" in statement) {
    list.fail("platform evidence", "PUBLIC_KEY_NOT_BOUND", statement.why);
    return;
  }
  list.notApplicable(
    "platform evidence",
    "software-only: there is no hardware evidence, so nothing shows where the key lives",
  );
  list.require("software-only accepted", allowSoftwareOnly, "SOFTWARE_ONLY_NOT_ACCEPTED", {
    passed: "explicitly accepted for this verification",
    failed: `a ${what} without hardware evidence is not accepted unless asked for`,
  });
}

/** Accepting software-only waives the evidence, not what is asked of it by name: nothing here could meet that. */
export function refuseHardwareExpectations(
  { certificates = [], collateral = [], earlierEvidence }: EvidenceRecord,
  { measurements, image, evidenceRequired }: Expectations,
  list: Checklist,
): void {
  const asked: readonly (readonly [name: string, option: string, isAsked: boolean])[] = [
    ["measurement", "--measurement", measurements !== undefined],
    ["image", "--measurements", image !== undefined],
    ["appraisal policy", "--appraisal-policy", evidenceRequired === true],
    ["certificates", "--certs", certificates.length > 0],
    ["collateral", "--collateral", collateral.length > 0],
    ["earlier evidence", "--earlier-evidence", earlierEvidence !== undefined],
  ];
  for (const [name, option, isAsked] of asked)
    if (isAsked)
      list.fail(
        `required: ${name}`,
        "EVIDENCE_MISSING",
        `asked for (${option}), and a software-only claim has no hardware evidence that could meet it`,
      );
}

/**
 * The evidence file of a software-only session: signed by nothing, but its root entry is the chain's, and says what was launched.
 * @returns the launch document in it, if it is the pinned one, whether the launch that is expected was compared, and the file
 */
export async function checkSoftwareFile(
  context: ClaimContext,
  { evidence }: EvidenceRecord,
): Promise<Pick<Expectations, "launch"> & { readonly shown: boolean; readonly file: EvidenceFile | null }> {
  const { crypto, claim, expected, list } = context;
  const file = evidence === undefined ? null : readFileOfClaim(claim, evidence, list);
  if (file === null) return { shown: false, file };
  await checkReportDataOfFile(crypto, claim, file, list);
  const held = await withLaunchOf(crypto, file, expected, list);
  return {
    ...(held.launch === undefined ? {} : { launch: held.launch }),
    shown: await checkRootEntry({ ...context, expected: held }, file),
    file,
  };
}
