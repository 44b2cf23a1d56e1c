import { verifySoftware } from "@cmcp/attestation/verify";
import { parseFirmwareText, type Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import type { Expectations } from "../expectations.ts";

/** The platform's evidence. This version knows software-only, which is none and is accepted only when told to. */
export function checkPlatform(claim: Claim, expected: Expectations, list: Checklist): void {
  const { runtime } = claim.trace;
  if (runtime.platform !== "software-only") {
    list.fail("platform evidence", "UNSUPPORTED_PROVIDER", `this version cannot verify evidence of ${runtime.platform}`);
    return;
  }
  const firmware = parseFirmwareText(runtime.firmware_version);
  const report = firmware === undefined ? { why: "the firmware text has not the documented form" } : verifySoftware({ measurement: runtime.measurement, firmware: firmware.firmware, hasEvidence: claim.gateway.attestation_evidence !== undefined });
  if ("why" in report) {
    list.fail("platform evidence", "PUBLIC_KEY_NOT_BOUND", report.why);
    return;
  }
  list.notApplicable("platform evidence", "software-only: there is no hardware evidence, so nothing shows where the key lives");
  list.require("software-only accepted", expected.allowSoftwareOnly, "SOFTWARE_ONLY_NOT_ACCEPTED", "explicitly accepted for this verification", "a claim without hardware evidence is not accepted unless asked for");
}
