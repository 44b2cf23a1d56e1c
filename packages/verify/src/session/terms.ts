import type { EnforcementMode } from "@cmcp/appraise";
import type { Checklist } from "../checklist.ts";
import type { SessionTerms } from "../expectations.ts";
import type { Conditions } from "./conditions.ts";

/** The modes that are accepted of a record without a claim. */
export function acceptedModes({ allowModes = [] }: SessionTerms): readonly EnforcementMode[] {
  return ["enforcing", ...allowModes];
}

/** The session ran in a mode that is accepted: `enforcing`, unless the relying party says otherwise. */
export function checkMode({ mode }: Conditions, accepted: readonly EnforcementMode[], list: Checklist): void {
  list.require("enforcement mode", mode !== null && accepted.includes(mode), "MODE_NOT_ACCEPTED", {
    passed: `${mode}`,
    failed:
      mode === null
        ? "nothing that is signed says in which mode the session ran"
        : `${mode}: calls that policy refuses are made all the same`,
  });
}

/** A mode that lets nothing through has let nothing through. */
export function checkEnforced({ mode, advisoryDenials }: Conditions, list: Checklist): void {
  if (mode !== "enforcing" || advisoryDenials === null || advisoryDenials === 0) return;
  list.fail(
    "mode of every decision",
    "CLAIM_INCONSISTENT",
    `${advisoryDenials} refusals were let through, which an enforcing gateway never does`,
  );
}

/** What earlier instances recorded was known, where the relying party requires it. */
export function checkHistory({ history }: Conditions, { completeHistory }: SessionTerms, list: Checklist): void {
  if (completeHistory === true)
    list.require("history", history === "complete", "HISTORY_NOT_COMPLETE", {
      passed: "the instance knew all that earlier ones recorded",
      failed:
        history === "unknown"
          ? "no signed root entry says whether the record of earlier instances was complete (--audit-bundle)"
          : "the instance did not know all that earlier ones recorded: labels and histories of its principals may be missing",
    });
  else if (history === "incomplete")
    list.notPerformed(
      "history",
      "the instance did not know all that earlier ones recorded, and a complete history is not required (--require-complete-history)",
    );
}

/** Requests were sealed, and to the keys that the relying party verified, where it requires that. */
export function checkChannel(
  { channel, sealKeys }: Conditions,
  { requireSealed, sealKeys: expected }: SessionTerms,
  list: Checklist,
): void {
  if (requireSealed === true)
    list.require("channel", channel === "sealed", "CHANNEL_NOT_ACCEPTED", {
      passed: "sealed: the host read neither requests nor answers",
      failed:
        channel === null
          ? "nothing that is signed says how requests came"
          : `${channel}: the host could read requests and answers, and act as the agent`,
    });
  if (expected !== undefined)
    list.require("seal keys", sealKeys.includes(expected), "SEAL_KEYS_MISMATCH", {
      passed: "the session names the keys that the instance's report names",
      failed:
        sealKeys.length === 0
          ? "no signed entry names the keys that requests were sealed to (--audit-bundle)"
          : `the session names ${sealKeys.join(", ")}`,
    });
}

/** Tokens and credentials came in signed statements, where the relying party requires it. */
export function checkProvisioning(
  { provisioning }: Conditions,
  { requireSignedProvisioning }: SessionTerms,
  list: Checklist,
): void {
  const unsigned =
    "unsigned, which is for development: the host gave tokens and credentials, and may have made its own";
  if (requireSignedProvisioning === true)
    list.require("provisioning", provisioning === "signed", "PROVISIONING_NOT_ACCEPTED", {
      passed: "signed: tokens and credentials came from a key of the launch document",
      failed: provisioning === null ? "no signed root entry says who provisioned (--audit-bundle)" : unsigned,
    });
  else if (provisioning === "unsigned")
    list.notPerformed("provisioning", `${unsigned} (--require-signed-provisioning)`);
}
