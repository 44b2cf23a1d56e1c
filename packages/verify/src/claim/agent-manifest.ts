import { sha256Hex } from "@cmcp/appraise";
import { AGENT_MANIFEST } from "@cmcp/audit/schema";
import { canonicalText, fromBase64Url, toBase64Url, untrusted } from "@cmcp/boundary";
import {
  agentIdentity,
  factsOf,
  isBound,
  PROBLEMS,
  problemOf,
  readManifest,
  readRevocations,
  revocationProblem,
  revocationsInput,
  type ManifestAnchor,
  type ManifestFacts,
  type ReadManifest,
  type SubjectSource,
} from "@cmcp/manifest";
import type { Claim } from "@cmcp/claim/schema";
import { verifyEd25519 } from "../crypto.ts";
import type { CoveredSession } from "../session/covered.ts";
import { modeOfClaim } from "../session/conditions.ts";
import type { AgentStanding } from "../verdict.ts";
import type { ClaimContext } from "./context.ts";

const CODE = "AGENT_MANIFEST_MISMATCH";
type Identity = NonNullable<Claim["gateway"]["agent_identity"]>;

/**
 * Who the claim says the agent was: the same in claim, root entry and every decision, and as the manifest says where that was given.
 * @returns what a signed claim says of its agent; `null` where it names none
 */
export async function checkAgent(
  context: ClaimContext,
  entries: CoveredSession | null,
  manifest: Uint8Array | undefined,
): Promise<AgentStanding | null> {
  const { agent_identity: identity } = context.claim.gateway;
  if (identity === undefined) {
    refuseUnnamed(context, entries, manifest);
    return null;
  }
  const thumbprint = checkRecord(context, identity, entries);
  const verified =
    manifest === undefined
      ? unseen(context)
      : await checkManifest(context, { identity, entries, thumbprint }, manifest);
  return { agentId: identity.agent_id, manifestId: identity.manifest_id, thumbprint, manifestVerified: verified };
}

function refuseUnnamed({ list }: ClaimContext, entries: CoveredSession | null, manifest: Uint8Array | undefined): void {
  if (manifest !== undefined) list.fail("agent manifest", CODE, "the claim names no agent, and a manifest was given");
  if (entries?.root?.detail?.[AGENT_MANIFEST] !== undefined)
    list.fail("agent identity", CODE, "the root entry names an agent manifest, and the claim no agent");
}

function unseen({ list }: ClaimContext): false {
  list.notPerformed(
    "agent manifest",
    "the manifest was not given (--manifest): who the agent was rests on the enclave, which verified it",
  );
  return false;
}

/** Root entry and decisions name the claim's agent. @returns the manifest's thumbprint, as the root entry has it */
function checkRecord({ list }: ClaimContext, identity: Identity, entries: CoveredSession | null): string | null {
  if (entries === null) {
    list.notPerformed("agent identity", "the record's own word needs the audit bundle (--audit-bundle)");
    return null;
  }
  const detail = entries.root?.detail ?? {};
  const { [AGENT_MANIFEST]: thumbprint } = detail;
  const said = membersOfRoot(identity);
  const same =
    typeof thumbprint === "string" &&
    entries.otherAgents === 0 &&
    Object.entries(said).every(([name, value]) => detail[name] === value);
  list.require("agent identity", same, CODE, {
    passed: `${identity.agent_id}, in claim, root entry and every decision`,
    failed: "claim, root entry and decisions do not name one agent under one manifest",
  });
  return same ? thumbprint : null;
}

/** What a root entry says where a claim has this identity. */
function membersOfRoot(identity: Identity): Readonly<Record<string, string | undefined>> {
  return {
    agent_manifest_id: identity.manifest_id,
    agent_id: identity.agent_id,
    agent_subject_source: identity.subject_source,
    agent_issuer: identity.issuer,
    agent_issuer_key: identity.issuer_key_id,
    agent_intent: identity.intent_hash,
    agent_enforcement_mode: identity.enforcement_mode,
  };
}

interface Named {
  readonly identity: Identity;
  readonly entries: CoveredSession | null;
  readonly thumbprint: string | null;
}

/** The manifest is what the claim was made under: an anchor's key signed it, and it says of the agent what the claim does. */
async function checkManifest(context: ClaimContext, named: Named, bytes: Uint8Array): Promise<boolean> {
  const { list, crypto } = context;
  const read = list.attempt(
    "agent manifest form",
    "AGENT_MANIFEST_MALFORMED",
    "a manifest of the documented form",
    () => readManifest(untrusted(bytes)),
  );
  if (read === null) return false;
  const anchor = await anchorOf(context, read);
  const signed =
    anchor !== null && (await verifyEd25519(crypto, anchor.public_key, toBase64Url(read.signature), read.signed));
  const isSigned = list.require("agent manifest signature", signed, CODE, {
    passed: "signed by a key of the anchors that were given (--manifest-anchors)",
    failed: "no key of the anchors that were given (--manifest-anchors) signed it",
  });
  if (!isSigned || anchor === null) return false;
  const facts = factsOf(read, {
    identified: await sha256Hex(crypto, read.identified),
    intent: read.intent === null ? null : await sha256Hex(crypto, read.intent),
  });
  const holds = holdsToClaim(context, named, { facts, anchor });
  return (await checkRevocation(context, facts)) && holds;
}

async function anchorOf({ crypto, expected }: ClaimContext, { keyId }: ReadManifest): Promise<ManifestAnchor | null> {
  for (const anchor of expected.manifestAnchors ?? []) {
    const key = fromBase64Url(anchor.public_key);
    if (key !== undefined && (await sha256Hex(crypto, key)) === keyId) return anchor;
  }
  return null;
}

/**
 * The list of revoked manifests that was given does not have this one: a given key signed the list, and it is in force as of the time of
 * verification. Without a list nothing is said of it.
 */
async function checkRevocation({ list, crypto, expected }: ClaimContext, facts: ManifestFacts): Promise<boolean> {
  const { manifestRevocations: given, now } = expected;
  const what = "agent manifest revocation";
  if (given === undefined) {
    list.notPerformed(
      what,
      "no revocation list was given (--manifest-revocations): the enclave held it to its own; nothing here says what is revoked since",
    );
    return true;
  }
  const read = list.attempt(
    what,
    "AGENT_MANIFEST_REVOCATIONS_REFUSED",
    "a revocation list of the documented form",
    () => readRevocations(untrusted(given.signedList)),
  );
  if (read === null) return false;
  const { list: revocations, key, signature } = read;
  const signed =
    given.keys.includes(key) && (await verifyEd25519(crypto, key, signature, revocationsInput(revocations)));
  const isSigned = list.require(what, signed, "AGENT_MANIFEST_REVOCATIONS_REFUSED", {
    passed: "the list is signed by a key that was given (--revocation-key)",
    failed: "no key that was given (--revocation-key) signed the revocation list",
  });
  if (!isSigned) return false;
  const problem = revocationProblem(facts, revocations, now.getTime());
  const code = problem === "revoked" ? CODE : "AGENT_MANIFEST_REVOCATIONS_REFUSED";
  return list.require(what, problem === null, code, {
    passed: `list ${revocations.sequence}, in force at the time of verification, does not revoke it`,
    failed:
      problem === "revoked" ? PROBLEMS.revoked : "the revocation list is not in force at the time of verification",
  });
}

function holdsToClaim(
  { claim, list }: ClaimContext,
  { identity, entries, thumbprint }: Named,
  { facts, anchor }: { readonly facts: ManifestFacts; readonly anchor: ManifestAnchor },
): boolean {
  const { subject_source: source } = identity;
  const same =
    isBound(facts) && isSource(source) && canonicalText(agentIdentity(facts, source)) === canonicalText(identity);
  const named = list.require(
    "agent manifest in claim",
    same && (thumbprint ?? facts.thumbprint) === facts.thumbprint,
    CODE,
    {
      passed: `${facts.manifestId} of ${facts.issuer}, thumbprint ${facts.thumbprint}`,
      failed: "the manifest says something else of the agent than the claim or the root entry, or is another",
    },
  );
  // A session opens under the policy and the catalog that its root entry names, and at its time.
  const { root } = entries ?? {};
  const policyHash = root?.detail?.["policy_hash"] ?? claim.trace.policy.bundle_hash;
  const problem = problemOf(facts, {
    anchor,
    subject: identity.authenticated_subject,
    policyHash: String(policyHash),
    catalogHash: String(root?.detail?.["catalog_hash"] ?? claim.gateway.catalog.hash),
    mode: modeOfClaim(claim),
    now: root === undefined ? claim.trace.iat * 1000 : Date.parse(root.timestamp_utc),
  });
  const holds = list.require("agent manifest terms", problem === null, CODE, {
    passed: "of this agent, policy, catalog and mode, and valid when the session began, by the host's clock",
    failed: `the manifest does not count for the session: ${problem === null ? "" : PROBLEMS[problem]}`,
  });
  return named && holds;
}

function isSource(source: Identity["subject_source"]): source is SubjectSource {
  return source === "svid" || source === "config";
}
