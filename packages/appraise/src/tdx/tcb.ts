import { bytesEqual, toHex } from "@cmcp/boundary";
import type { AuthenticTdxQuote } from "./authenticate.ts";
import { parseQeIdentity, type QeIdentity } from "./qe-identity.ts";
import type { QeReport } from "./qe-report.ts";
import { verifyDocument, type CollateralContext } from "./signed-document.ts";
import { parseTcbInfo, type TcbInfo } from "./tcb-info.ts";
import { convergeTcb, oldestDate, type TcbAppraisal } from "./tcb-appraisal.ts";
import { moduleOf } from "./tcb-match.ts";
import { isCurrent } from "./tcb-status.ts";

const DAY = 24 * 60 * 60 * 1000;

/**
 * Verifies TCB info and quoting enclave identity and appraises the platform by them.
 *
 * @returns `null` when it could not be done, which the checks say why.
 */
export async function appraiseTcb(context: CollateralContext, quote: AuthenticTdxQuote): Promise<TcbAppraisal | null> {
  const { recorder } = context;
  const info = await verifyDocument(context, { name: "TCB info", parse: parseTcbInfo }, context.collateral.tcbInfo);
  const identity = await verifyDocument(
    context,
    { name: "QE identity", parse: parseQeIdentity },
    context.collateral.qeIdentity,
  );
  if (info === null || identity === null) {
    recorder.notPerformed(
      "TCB status",
      `the platform's status needs a verified ${info === null ? "TCB info" : "QE identity"}`,
    );
    return null;
  }
  const samePlatform = info.fmspc === quote.pck.fmspc && info.pceId === quote.pck.pceId;
  const platform = `FMSPC ${quote.pck.fmspc}, PCEID ${quote.pck.pceId}`;
  const found = [
    recorder.require("TCB info platform", samePlatform, "EVIDENCE_COLLATERAL_INVALID", {
      passed: platform,
      failed: `the TCB info is for FMSPC ${info.fmspc}, PCEID ${info.pceId}, the platform has ${platform}`,
    }),
    checkQeIdentity(context, identity, quote.qe),
    checkModule(context, info, quote),
  ];
  if (found.includes(false)) {
    recorder.notPerformed("TCB status", "the collateral does not fit the quote");
    return null;
  }
  const appraisal = convergeTcb(info, identity, quote);
  if ("below" in appraisal) {
    recorder.fail("TCB status", "EVIDENCE_TCB_NOT_ACCEPTED", `${appraisal.below} is below every TCB level Intel lists`);
    return null;
  }
  acceptStatus(context, appraisal);
  return appraisal;
}

/** Fields of the quoting enclave that its identity fixes, masks applied (PCS API v4, enclave identity). */
function checkQeIdentity({ recorder }: CollateralContext, identity: QeIdentity, qe: QeReport): boolean {
  const masked = (value: Uint8Array, mask: Uint8Array): Uint8Array =>
    value.map((byte, index) => byte & (mask[index] ?? 0));
  const different = [
    bytesEqual(masked(qe.miscSelect, identity.miscselectMask), identity.miscselect) ? "" : "MISCSELECT",
    bytesEqual(masked(qe.attributes, identity.attributesMask), identity.attributes) ? "" : "ATTRIBUTES",
    bytesEqual(qe.mrSigner, identity.mrsigner) ? "" : "MRSIGNER",
    qe.isvProdId === identity.isvprodid ? "" : "ISVPRODID",
  ].filter((name) => name !== "");
  return recorder.require("QE identity match", different.length === 0, "EVIDENCE_SIGNATURE_INVALID", {
    passed: "the quoting enclave is the one Intel names",
    failed: `the quoting enclave differs from the one Intel names in ${different.join(", ")}`,
  });
}

/** The TDX module's signer and attributes (PCS API v4, TCB info: tdxModule and tdxModuleIdentities). */
function checkModule({ recorder }: CollateralContext, info: TcbInfo, report: AuthenticTdxQuote): boolean {
  const found = moduleOf(info, report.teeTcbSvn);
  if (found === null) {
    recorder.fail(
      "TDX module",
      "EVIDENCE_TCB_NOT_ACCEPTED",
      `Intel lists no TDX module of version ${report.teeTcbSvn[1] ?? 0}`,
    );
    return false;
  }
  const { module, identity } = found;
  const mask = littleEndian(module.attributesMask);
  const attributes =
    (report.seamAttributes & mask) === littleEndian(module.attributes) && (report.seamAttributes & ~mask) === 0n;
  const why = !bytesEqual(report.mrSignerSeam, module.mrsigner)
    ? `its signer is ${toHex(report.mrSignerSeam)}`
    : attributes
      ? ""
      : `its attributes are ${report.seamAttributes.toString(16)}`;
  return recorder.require("TDX module", why === "", "EVIDENCE_POLICY_VIOLATION", {
    passed: `module ${identity?.id ?? "TDX"}, security version ${report.teeTcbSvn[0] ?? 0}, as Intel names it`,
    failed: `not the TDX module Intel names: ${why}`,
  });
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);
}

/** Accepts the status when the policy does; grace counts from the oldest part that is not current. */
function acceptStatus({ recorder, policy, at }: CollateralContext, { status, parts, advisoryIds }: TcbAppraisal): void {
  const outdated = parts.filter((part) => !isCurrent(part.status));
  const since = oldestDate(outdated.length > 0 ? outdated : parts);
  const details = `${status}${advisoryIds.length > 0 ? ` (${advisoryIds.join(", ")})` : ""}, by ${parts.map((part) => `${part.part} ${part.status} of ${part.tcbDate.toISOString().slice(0, 10)}`).join(", ")}`;
  if (status === "Revoked") return recorder.fail("TCB status", "EVIDENCE_REVOKED", details);
  const rule = policy.tcb.accepted_statuses.find((accepted) => accepted.status === status);
  if (rule === undefined) return recorder.fail("TCB status", "EVIDENCE_TCB_NOT_ACCEPTED", details);
  const until = rule.grace_days === undefined ? null : new Date(since.getTime() + rule.grace_days * DAY);
  recorder.require("TCB status", until === null || at <= until, "EVIDENCE_TCB_NOT_ACCEPTED", {
    passed: details,
    failed: `${details}; accepted until ${until?.toISOString() ?? ""}`,
  });
}
