import { canonicalText } from "@cmcp/boundary";
import { rootDetailSchema } from "@cmcp/audit/schema";
import { parseFirmwareText, type CallFacts, type Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import type { Expectations } from "../expectations.ts";
import type { SessionFacts } from "../session/session-facts.ts";

const MODES = { enforcing: "enforce", advisory: "advisory", silent: "silent" } as const;

/**
 * Everything the claim says of the session is derived again from the entries and must be equal.
 *
 * @param pinned - hashes of the only policy and the only catalog that may have decided anything, as far as the relying party names them
 */
export function checkAgreement(
  claim: Claim,
  session: SessionFacts & { readonly calls: CallFacts },
  pinned: Pick<Expectations, "policyHash" | "catalogHash">,
  list: Checklist,
): void {
  const { trace, gateway } = claim;
  const { calls: facts, drifted: drift } = session;
  list.require(
    "transcript",
    canonicalText(trace.tool_transcript) ===
      canonicalText({
        hash: `sha256:${gateway.audit_chain.tip}`,
        call_count: facts.total,
        entries: [...facts.transcript],
      }),
    "CLAIM_INCONSISTENT",
    {
      passed: `${facts.total} calls, each as its entry says`,
      failed: "the claim's transcript does not follow from the entries",
    },
  );
  const { cross_boundary_events: _events, edges_represent: _edges, ...graph } = gateway.call_summary.call_graph_summary;
  const summary = { ...gateway.call_summary, call_graph_summary: graph };
  const derived = {
    tool_calls_total: facts.total,
    tool_calls_allowed: facts.allowed,
    tool_calls_denied: facts.denied,
    tool_calls_faulted: facts.faulted,
    tools_invoked: facts.toolsInvoked,
    session_max_sensitivity: facts.maxSensitivity,
    call_graph_summary: { compliance_domains_touched: facts.complianceDomains },
  };
  list.require(
    "call summary",
    canonicalText(summary) === canonicalText(derived) && trace.data_class === facts.maxSensitivity,
    "CLAIM_INCONSISTENT",
    {
      passed: "counts, tools, domains and sensitivity follow from the entries",
      failed: "the claim's summary does not follow from the entries",
    },
  );
  list.require("drift", gateway.catalog.drift_detected === drift, "CLAIM_INCONSISTENT", {
    passed: drift ? "a tool had drifted, and the claim says so" : "no tool had drifted",
    failed: "claim and entries differ on whether a tool had drifted",
  });
  if (session.attestedServers)
    list.require("servers in the machine", trace.runtime.platform !== "software-only", "CLAIM_INCONSISTENT", {
      passed: "stdio servers ran in the machine that the evidence is of",
      failed: "an entry says that a server ran in an attested machine, and the claim has no hardware",
    });
  if (!checkRoot(claim, session, list)) return;
  checkPolicies(claim, session, pinned.policyHash, list);
  checkCatalogs(claim, session, pinned.catalogHash, list);
}

/** The claim names the policy that was in force last, and every call was decided under one that was in force by then. */
function checkPolicies(
  { trace }: Claim,
  { policies: history }: SessionFacts,
  pinned: string | undefined,
  list: Checklist,
): void {
  if (!history.ok) {
    list.fail("policy of every decision", "POLICY_HASH_MISMATCH", history.why);
    return;
  }
  const { latest } = history;
  const named =
    latest.hash === trace.policy.bundle_hash && (latest.version ?? trace.policy.version) === trace.policy.version;
  list.require("policy in force", named, "POLICY_HASH_MISMATCH", {
    passed: "the claim names the policy that was in force last",
    failed: "the entries name another policy, or another version of it, than the claim",
  });
  requireDecisionsUnder("policy", history, trace.policy.bundle_hash === pinned ? pinned : undefined, list);
}

/** The claim names the catalog that was in force last, and every call was decided under one that was in force by then. */
function checkCatalogs(
  { gateway }: Claim,
  { catalogs: history }: SessionFacts,
  pinned: string | undefined,
  list: Checklist,
): void {
  if (!history.ok) {
    list.fail("catalog of every decision", "CATALOG_HASH_MISMATCH", history.why);
    return;
  }
  const { latest } = history;
  list.require("catalog in force", latest.hash === gateway.catalog.hash, "CATALOG_HASH_MISMATCH", {
    passed: "the claim names the catalog that was in force last",
    failed: "the entries name another catalog than the claim",
  });
  requireDecisionsUnder("catalog", history, gateway.catalog.hash === pinned ? pinned : undefined, list);
}

const DECIDED_UNDER = {
  policy: { several: "policies", code: "POLICY_HASH_MISMATCH" },
  catalog: { several: "catalogs", code: "CATALOG_HASH_MISMATCH" },
} as const;

/**
 * Says what calls were decided under, and holds all of it to the pin.
 *
 * @param pinned `undefined` for none, and where the claim is of another altogether: that fails at its own pin
 */
function requireDecisionsUnder(
  what: keyof typeof DECIDED_UNDER,
  { hashes, overtaken }: { readonly hashes: readonly string[]; readonly overtaken: number },
  pinned: string | undefined,
  list: Checklist,
): void {
  const { several, code } = DECIDED_UNDER[what];
  const stray = pinned === undefined ? undefined : hashes.find((hash) => hash !== pinned);
  const late = overtaken === 0 ? "" : `; ${overtaken} ended after theirs was replaced`;
  list.require(`${what} of every decision`, stray === undefined, code, {
    passed:
      hashes.length === 1
        ? `every call was decided under the one ${what} of the session`
        : `${hashes.length} ${several} followed each other, each call names one in force by then${late}`,
    failed: `another ${what} than the pinned one was in force too: ${stray}`,
  });
}

function checkRoot(claim: Claim, session: SessionFacts, list: Checklist): boolean {
  const { trace } = claim;
  const root = rootDetailSchema.safeParse(session.root?.detail);
  if (!root.success) {
    list.fail("root entry", "CHAIN_BROKEN", "the first entry does not say what the session ran under");
    return false;
  }
  const { data } = root;
  const firmware = parseFirmwareText(trace.runtime.firmware_version);
  const surroundings =
    MODES[data.enforcement_mode] === trace.policy.enforcement_mode &&
    (firmware === undefined || (firmware.isolation === data.isolation && firmware.channel === data.channel));
  list.require("mode, isolation and channel in root entry", surroundings, "CLAIM_INCONSISTENT", {
    passed: `${data.enforcement_mode}, isolation ${data.isolation}, channel ${data.channel}`,
    failed: "mode, isolation or channel differ between root entry and claim",
  });
  return true;
}
