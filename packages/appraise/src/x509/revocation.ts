import type { Checking } from "../checks/checking.ts";
import { bytesEqual } from "@cmcp/boundary";
import type { Certificate } from "./certificate.ts";
import type { RevocationList } from "./revocation-list.ts";
import { verifySignedBy } from "./signature.ts";

/** What a list past its nextUpdate does: fails the check, or leaves it not performed. */
export type StaleLists = "fail" | "accept";

/** A certificate and the authority in whose list it would be. */
export interface Listed {
  readonly certificate: Certificate;
  readonly by: Certificate;
}

/** The lists at hand, the time they have to cover, and what one does that does not. */
export interface ListTerms {
  readonly lists: readonly RevocationList[];
  readonly at: Date;
  readonly staleLists: StaleLists;
}

/**
 * Looks for each certificate in the list of its authority. A revoked certificate, a list that the authority did not
 * sign, and one that does not cover the time fail. Without a list of an authority the check is not performed and says
 * of which. Records one check.
 */
export async function checkRevocation(
  { crypto, recorder }: Checking,
  check: string,
  listed: readonly Listed[],
  { lists, at, staleLists }: ListTerms,
): Promise<void> {
  const unlisted = new Set<string>();
  const stale = new Set<string>();
  for (const { certificate, by } of listed) {
    const own = lists.filter((list) => bytesEqual(list.issuer, by.subject));
    if (own.length === 0) unlisted.add(by.subjectText);
    for (const list of own) {
      if (!mayList(by) || !(await verifySignedBy(crypto, list, by.spki)))
        return recorder.fail(
          check,
          "EVIDENCE_COLLATERAL_INVALID",
          `a revocation list in the name of ${by.subjectText} is not signed by it`,
        );
    }
    // An outdated list still tells what was revoked by then.
    if (own.some((list) => list.revokes(certificate.serialHex)))
      return recorder.fail(
        check,
        "EVIDENCE_REVOKED",
        `${certificate.subjectText}, serial number ${certificate.serialHex}, is revoked by ${by.subjectText}`,
      );
    if (own.length > 0 && !own.some(({ thisUpdate, nextUpdate }) => at >= thisUpdate && at <= nextUpdate))
      stale.add(by.subjectText);
  }
  const outdated = `the revocation list of ${[...stale].join(" and ")} does not cover ${at.toISOString()}`;
  if (stale.size > 0 && staleLists === "fail") recorder.fail(check, "EVIDENCE_EXPIRED", outdated);
  else if (stale.size > 0) recorder.notPerformed(check, `stale: ${outdated}`);
  else if (unlisted.size > 0)
    recorder.notPerformed(check, `absent: no revocation list of ${[...unlisted].join(" and ")} was given`);
  else
    recorder.require(check, true, "EVIDENCE_REVOKED", {
      passed: `${listed.length} certificates, none on its list`,
      failed: "",
    });
}

function mayList(issuer: Certificate): boolean {
  return issuer.keyUsage === undefined || issuer.keyUsage.has("cRLSign");
}
