import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { untrusted, type JsonObject } from "@cmcp/boundary";
import { isBound, problemOf, revocationProblem, type ManifestTerms } from "./appraise.ts";
import { agentIdentity, factsOf, manifestDetail, type ManifestFacts } from "./facts.ts";
import { readManifest } from "./read-manifest.ts";
import { MAX_REVOCATIONS_SECONDS, type RevocationList } from "./revocations.ts";
import { ManifestIssuer, manifestMembers, OTHER_ARTIFACTS } from "./testing/issuer.ts";

const issuer = new ManifestIssuer();
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function facts(more: JsonObject = {}): ManifestFacts {
  const found = readManifest(untrusted(new Uint8Array(issuer.json(manifestMembers(more)))));
  return factsOf(found, {
    identified: sha256(found.identified),
    intent: found.intent === null ? null : sha256(found.intent),
  });
}

const TERMS: ManifestTerms = {
  anchor: issuer.anchor,
  subject: "spiffe://bank.example/agents/desk",
  policyHash: `sha256:${"a".repeat(64)}`,
  catalogHash: `sha256:${"b".repeat(64)}`,
  mode: "enforcing",
  now: Date.parse("2026-11-10T00:00:00Z"),
};
const problem = (more: JsonObject = {}, terms: Partial<ManifestTerms> = {}): unknown =>
  problemOf(facts(more), { ...TERMS, ...terms });

test("a manifest counts for its agent, its policy, its catalog and its mode", () => {
  assert.equal(problem(), null);
  assert.equal(problem({}, { subject: "spiffe://bank.example/agents/other" }), "subject");
  assert.equal(problem({}, { subject: null }), "subject");
  assert.equal(problem({}, { policyHash: `sha256:${"c".repeat(64)}` }), "policy");
  assert.equal(problem({}, { catalogHash: `sha256:${"c".repeat(64)}` }), "catalog");
  assert.equal(problem({}, { mode: "advisory" }), "mode");
  const silent = { ...OTHER_ARTIFACTS, policy_bundle: { hash: TERMS.policyHash, enforcement_mode: "audit-only" } };
  const tools = { tool_manifest: { catalog_hash: TERMS.catalogHash } };
  assert.equal(problem({ artifacts: { ...silent, ...tools } }, { mode: "silent" }), null);
  assert.equal(
    problem({ artifacts: { ...OTHER_ARTIFACTS, policy_bundle: { hash: TERMS.policyHash }, ...tools } }),
    null,
  );
});

test("a manifest that binds no catalog counts nowhere", () => {
  const artifacts = { ...OTHER_ARTIFACTS, policy_bundle: { hash: TERMS.policyHash } };
  assert.equal(problem({ artifacts }), "catalog");
  assert.ok(!isBound(facts({ artifacts })) && isBound(facts()));
});

test("a manifest counts from its first moment until before its last, and for an hour to 365 days", () => {
  const at = (text: string): unknown => problem({}, { now: Date.parse(text) });
  assert.equal(at("2026-10-31T23:59:59.999Z"), "not-yet-valid");
  assert.equal(at("2026-11-01T00:00:00Z"), null);
  assert.equal(at("2026-11-30T23:59:59.999Z"), null);
  assert.equal(at("2026-12-01T00:00:00Z"), "expired");
  assert.equal(problem({ expires_at: "2026-11-01T00:59:59Z" }), "validity");
  assert.equal(problem({ expires_at: "2027-11-01T00:00:01Z" }), "validity");
  assert.equal(problem({ expires_at: "2027-11-01T00:00:00Z" }), null);
});

test("a key that lists issuers signs for those alone", () => {
  const own = "spiffe://bank.example/issuers/desk";
  assert.equal(problem({}, { anchor: { ...issuer.anchor, issuers: [own] } }), null);
  assert.equal(problem({}, { anchor: { ...issuer.anchor, issuers: [`${own}s`] } }), "issuer");
});

const LIST: RevocationList = {
  v: 1,
  sequence: 1,
  issued_at: TERMS.now / 1000,
  valid_until: TERMS.now / 1000 + MAX_REVOCATIONS_SECONDS,
  manifests: [],
  issuers: [],
  keys: [],
};
const revocation = (list: Partial<RevocationList> | null, now = TERMS.now): unknown =>
  revocationProblem(facts(), list === null ? null : { ...LIST, ...list }, now);

test("without a list in force nothing counts", () => {
  assert.equal(revocation({}), null);
  assert.equal(revocation(null), "revocations");
  assert.equal(revocation({}, TERMS.now - 1), "revocations");
  assert.equal(revocation({}, LIST.valid_until * 1000 - 1), null);
  assert.equal(revocation({}, LIST.valid_until * 1000), "revocations");
});

test("a list revokes a manifest by its id, its issuer or its key", () => {
  assert.equal(revocation({ manifests: ["018f4a3b-2c1d-7e5f-a8b9-0d1e2f3a4b5c"] }), "revoked");
  assert.equal(revocation({ issuers: ["spiffe://bank.example/issuers/desk"] }), "revoked");
  assert.equal(revocation({ keys: [issuer.keyId] }), "revoked");
  assert.equal(revocation({ keys: ["0".repeat(64)], issuers: ["spiffe://bank.example/issuers/x"] }), null);
  const list = { ...LIST, manifests: ["018f4a3b-2c1d-7e5f-a8b9-0d1e2f3a4b5c"] };
  const upper = facts({ manifest_id: "018F4A3B-2C1D-7E5F-A8B9-0D1E2F3A4B5C" });
  assert.equal(revocationProblem(upper, list, TERMS.now), "revoked", "in any spelling");
});

test("claim and root entry say the same of the agent", () => {
  const own = facts();
  assert.ok(isBound(own));
  const identity = agentIdentity(own, "svid");
  assert.deepEqual(identity, {
    manifest_id: "018f4a3b-2c1d-7e5f-a8b9-0d1e2f3a4b5c",
    agent_id: TERMS.subject,
    authenticated_subject: TERMS.subject,
    subject_source: "svid",
    issuer: "spiffe://bank.example/issuers/desk",
    issuer_key_id: issuer.keyId,
    policy_bundle_hash: TERMS.policyHash,
    tool_catalog_hash: TERMS.catalogHash,
    intent_hash: `sha256:${sha256(Buffer.from('{"statement":"reads tickets"}'))}`,
    enforcement_mode: "enforcing",
  });
  assert.deepEqual(manifestDetail(own, "svid"), {
    agent_manifest_id: identity.manifest_id,
    agent_id: identity.agent_id,
    agent_subject_source: "svid",
    agent_issuer: identity.issuer,
    agent_issuer_key: identity.issuer_key_id,
    agent_intent: identity.intent_hash,
    agent_enforcement_mode: "enforcing",
  });
  const bare = { ...own, intentHash: null, mode: null };
  assert.ok(!("intent_hash" in agentIdentity(bare, "config")) && !("agent_intent" in manifestDetail(bare, "config")));
});
