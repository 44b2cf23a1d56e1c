import { asCmcpError, type CmcpError } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import type { Expectations } from "../expectations.ts";
import type { CoveredSession } from "../session/covered.ts";
import type { LaunchTerms } from "./launch-terms.ts";

const POLICY = "policy of launch document";
const CATALOG = "catalog of launch document";

/**
 * The claim's catalog and policies are those of the launch document, or follow from it. Another check compares its
 * digest with evidence and chain.
 */
export function checkLaunch(
  claim: Claim,
  entries: CoveredSession | null,
  { launch, allowSoftwareOnly, bundlesGiven, catalogVersionsGiven }: Expectations,
  list: Checklist,
): void {
  if (launch === undefined) {
    const why =
      "the launch document was not given (--launch-document), nor is it in the evidence file under a pinned digest";
    if (bundlesGiven === true)
      list.fail(POLICY, "POLICY_NOT_OF_LAUNCH", `nothing holds the bundles that were given (--policy-bundle): ${why}`);
    else list.notPerformed(POLICY, why);
    if (catalogVersionsGiven === true)
      list.fail(
        CATALOG,
        "CATALOG_NOT_OF_LAUNCH",
        `nothing holds the versions that were given (--catalog-versions): ${why}`,
      );
    return;
  }
  const terms = list.attempt(
    "launch document form",
    "LAUNCH_DOCUMENT_INVALID",
    "canonical JSON of the documented form",
    () => launch.read(launch.document),
  );
  if (terms === null) return;
  list.require("development", !terms.development || allowSoftwareOnly, "DEVELOPMENT_NOT_ACCEPTED", {
    passed: terms.development
      ? "explicitly accepted for this verification"
      : "the launch document is not of a development instance",
    failed: "the launch document is of a development instance, which is not accepted unless asked for",
  });
  checkCatalogs(claim, entries, terms, list);
  checkPolicies(claim, entries, terms, list);
}

/** Every catalog of the session, from the launch document's own to the claim's, may have followed the one before it. */
function checkCatalogs({ gateway }: Claim, entries: CoveredSession | null, terms: LaunchTerms, list: Checklist): void {
  const history = entries?.catalogs ?? null;
  const named = [...(history?.ok === true ? history.all : []), { hash: gateway.catalog.hash, version: null }];
  const steps = named
    .map(({ hash, version }, at) => ({ hash, version, previous: named[at - 1]?.hash ?? terms.catalogHash }))
    .filter(({ hash, previous }) => hash !== previous);
  const passed =
    steps.length === 0
      ? "the claim names the launch document's catalog"
      : `${steps.length} catalogs followed the launch document's, each of a higher version with the approvals that it needs`;
  const unseen = entries === null && steps.length > 0;
  const why = unseen ? `${passed}; catalogs before the claim's are not looked at without the audit bundle` : passed;
  const problem = catalogProblem(terms, steps);
  list.require(CATALOG, problem === null, problem?.code ?? "CATALOG_NOT_OF_LAUNCH", {
    passed: why,
    failed: problem?.message ?? "",
  });
}

/** A catalog that took the place of another. */
export interface CatalogStep {
  readonly hash: string;
  readonly previous: string;
  /** `null` where nothing says it. */
  readonly version: number | null;
}

/** Why catalogs do not follow each other under a launch document; `null` where they do. */
export function catalogProblem(
  terms: Pick<LaunchTerms, "requireCatalogMayFollow">,
  steps: readonly CatalogStep[],
): CmcpError | null {
  try {
    for (const { hash, previous, version } of steps) terms.requireCatalogMayFollow(hash, previous, version);
    return null;
  } catch (thrown) {
    return asCmcpError(thrown, "CATALOG_NOT_OF_LAUNCH", "a catalog does not follow from the launch document");
  }
}

/** Every policy of the session, from the launch document's own to the claim's, may have followed the one before it. */
function checkPolicies({ trace }: Claim, entries: CoveredSession | null, terms: LaunchTerms, list: Checklist): void {
  const { bundle_hash: claimed, version } = trace.policy;
  const history = entries?.policies ?? null;
  const named = [...(history?.ok === true ? history.hashes : []), claimed];
  // The launch document's bundle was in force before the session, and the last of the session is the claim's.
  const inForce = [terms.policyHash, ...named].filter((hash, index, all) => index === 0 || hash !== all[index - 1]);
  const missing = inForce.find((hash) => !terms.versions.has(hash));
  if (missing !== undefined) {
    refuseMissing(missing, terms, list);
    return;
  }
  try {
    for (const [index, next] of inForce.entries()) {
      const previous = inForce[index - 1];
      if (previous !== undefined) terms.requireMayFollow(next, previous);
    }
  } catch (thrown) {
    const { code, message } = asCmcpError(
      thrown,
      "POLICY_NOT_OF_LAUNCH",
      "a policy bundle does not follow from the launch document",
    );
    list.fail(POLICY, code, message);
    return;
  }
  const own =
    inForce.length === 1
      ? "the launch document's own bundle was in force"
      : `${inForce.length - 1} of the bundles given followed the launch document's, each signed with its key and of a higher version`;
  list.require(POLICY, terms.versions.get(claimed) === version, "POLICY_NOT_OF_LAUNCH", {
    passed: `${own}${entries === null ? "; policies before the claim's are not looked at without the audit bundle" : ""}`,
    failed: "the claim names another version than its policy bundle has",
  });
}

/** A policy that nobody showed: nothing says who made it, so the claim is not accepted. */
function refuseMissing(missing: string, { policyHash, versions }: LaunchTerms, list: Checklist): void {
  const others = [...versions.keys()].filter((hash) => hash !== policyHash);
  if (others.length > 0) {
    list.fail(
      POLICY,
      "POLICY_HASH_MISMATCH",
      `${missing} was in force; the launch document has ${policyHash}, and the bundles given are ${others.join(", ")}`,
    );
    return;
  }
  list.notPerformed(
    POLICY,
    `${missing} was in force, the launch document has ${policyHash}, and no other bundle was given (--policy-bundle)`,
  );
  list.fail(
    `required: ${POLICY}`,
    "POLICY_BUNDLE_MISSING",
    "who made the policy that was in force cannot be said without its bundle",
  );
}
