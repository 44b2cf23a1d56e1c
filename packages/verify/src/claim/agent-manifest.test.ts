import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { untrusted, type JsonObject } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim";
import {
  agentIdentity,
  factsOf,
  isBound,
  manifestDetail,
  readManifest,
  signRevocations,
  type BoundFacts,
  type RevocationList,
} from "@cmcp/manifest";
import { ManifestIssuer, manifestMembers, OTHER_ARTIFACTS } from "../../../manifest/src/testing/issuer.ts";
import { Checklist } from "../checklist.ts";
import { checkChainPosition } from "../receipt/receipt.ts";
import { renderVerdict } from "../render.ts";
import { factsOf as factsOfEntries } from "../session/session-facts.ts";
import { Instance, relink } from "../testing/instance.ts";
import {
  CATALOG_HASH,
  claimOf,
  entriesOf,
  failures,
  ISSUED_AT,
  judge,
  OTHER_HASH,
  POLICY_HASH,
} from "../testing/session.ts";

const issuer = new ManifestIssuer();
const instance = new Instance();
const manifestAnchors = [issuer.anchor];
const at = (seconds: number): string => new Date((ISSUED_AT + seconds) * 1000).toISOString();
const artifacts = {
  ...OTHER_ARTIFACTS,
  policy_bundle: { hash: POLICY_HASH, enforcement_mode: "enforce" },
  tool_manifest: { catalog_hash: CATALOG_HASH },
};
const members = (more: JsonObject = {}): JsonObject =>
  manifestMembers({ artifacts, issued_at: at(-86_400), expires_at: at(86_400), ...more });
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function boundFacts(bytes: Uint8Array): BoundFacts {
  const read = readManifest(untrusted(new Uint8Array(bytes)));
  const facts = factsOf(read, {
    identified: sha256(read.identified),
    intent: read.intent === null ? null : sha256(read.intent),
  });
  assert.ok(isBound(facts));
  return facts;
}

/** The entries of a session under a manifest, as an enclave writes them. */
function entriesUnder(facts: BoundFacts): AuditEntry[] {
  const entries = entriesOf(instance).map((entry, index) => {
    const named = { ...entry.detail, agent_manifest: facts.thumbprint };
    if (index === 0) return { ...entry, detail: { ...named, ...manifestDetail(facts, "svid") } };
    return entry.entry_type === "tool_call" ? { ...entry, detail: named } : entry;
  });
  return relink(entries);
}

interface Record {
  readonly claim: Claim;
  readonly entries: readonly AuditEntry[];
}

const own = issuer.json(members());
const facts = boundFacts(own);
function recordUnder(under = facts, said = agentIdentity(under, "svid"), entries = entriesUnder(under)): Record {
  return { entries, claim: claimOf(instance, entries, undefined, said) };
}
const record = recordUnder();

async function judged({ claim, entries }: Record, manifest?: Uint8Array, anchors = manifestAnchors) {
  const receipts = instance.receiptsOf(entries);
  const parts = { claim, bundle: instance.bundle(entries), receipts };
  return await judge(manifest === undefined ? parts : { ...parts, manifest }, { manifestAnchors: anchors });
}

test("a claim, its record and the manifest that they were made under are accepted, and the verdict says whose agent it was", async () => {
  for (const manifest of [own, issuer.cose(members({ version: "0.2" }))]) {
    const under = boundFacts(manifest);
    const verdict = await judged(recordUnder(under), new Uint8Array(manifest));
    assert.deepEqual([verdict.outcome, failures(verdict)], ["accepted", []]);
    assert.deepEqual(verdict.agent, {
      agentId: under.agentId,
      manifestId: under.manifestId,
      thumbprint: under.thumbprint,
      manifestVerified: true,
    });
    assert.ok(renderVerdict(verdict).some(({ text }) => /^agent .*as its manifest says$/.test(text)));
  }
});

test("without the manifest the agent rests on the enclave's word, and the report says so", async () => {
  const verdict = await judged(record);
  assert.equal(verdict.outcome, "accepted");
  assert.equal(verdict.agent?.manifestVerified, false);
  assert.ok(renderVerdict(verdict).some(({ text }) => text.includes("by the enclave's word")));
  const bare = await judge({ claim: record.claim });
  assert.deepEqual([bare.outcome, bare.agent?.thumbprint], ["accepted", null]);
});

test("another manifest, another signer and a changed one are each refused for their own reason", async () => {
  const mismatch = async (manifest: Uint8Array, anchors = manifestAnchors) =>
    failures(await judged(record, new Uint8Array(manifest), anchors));
  const other = await mismatch(issuer.json(members({ intent: { statement: "writes tickets" } })));
  assert.deepEqual(other, ["agent manifest in claim AGENT_MANIFEST_MISMATCH"]);
  const unlisted = await mismatch(own, [new ManifestIssuer(9).anchor]);
  assert.deepEqual(unlisted, ["agent manifest signature AGENT_MANIFEST_MISMATCH"]);
  const changed = await mismatch(Buffer.from(own.toString("utf8").replace("reads", "keeps")));
  assert.deepEqual(changed, ["agent manifest signature AGENT_MANIFEST_MISMATCH"]);
  const others = await mismatch(own, [{ ...issuer.anchor, issuers: ["spiffe://bank.example/issuers/x"] }]);
  assert.deepEqual(others, ["agent manifest terms AGENT_MANIFEST_MISMATCH"]);
  const verdict = await judged(record, Buffer.from("{}"));
  assert.deepEqual(
    [verdict.outcome, failures(verdict)],
    ["malformed", ["agent manifest form AGENT_MANIFEST_MALFORMED"]],
  );
});

test("a session under a manifest of another bundle, catalog, mode or time is refused, whatever the enclave recorded", async () => {
  const refused = async (more: JsonObject): Promise<string[]> => {
    const manifest = issuer.json(members(more));
    return failures(await judged(recordUnder(boundFacts(manifest)), new Uint8Array(manifest)));
  };
  const terms = ["agent manifest terms AGENT_MANIFEST_MISMATCH"];
  assert.deepEqual(await refused({ artifacts: { ...artifacts, policy_bundle: { hash: OTHER_HASH } } }), terms);
  assert.deepEqual(await refused({ artifacts: { ...artifacts, tool_manifest: { catalog_hash: OTHER_HASH } } }), terms);
  const advisory = { hash: POLICY_HASH, enforcement_mode: "advisory" };
  assert.deepEqual(await refused({ artifacts: { ...artifacts, policy_bundle: advisory } }), terms);
  assert.deepEqual(await refused({ issued_at: at(-7_200), expires_at: at(-3_600) }), terms);
  assert.deepEqual(await refused({ issued_at: at(60), expires_at: at(7_200) }), terms);
});

test("claim, root entry, decisions and receipts name one manifest", async () => {
  const said = agentIdentity(facts, "svid");
  const identity = ["agent identity AGENT_MANIFEST_MISMATCH"];
  for (const change of [{ agent_id: "spiffe://bank.example/agents/door" }, { issuer_key_id: "0".repeat(64) }])
    assert.deepEqual(failures(await judged(recordUnder(facts, { ...said, ...change }))), identity);
  const { intent_hash: _, ...without } = said;
  assert.deepEqual(failures(await judged(recordUnder(facts, without))), identity);
  const entries = entriesUnder(facts);
  const unnamed = relink(
    entries.map((entry, index) => (index === 2 ? { ...entry, detail: { policy_hash: POLICY_HASH } } : entry)),
  );
  assert.deepEqual(failures(await judged(recordUnder(facts, said, unnamed))), identity);
  const bare = relink(
    entries.map((entry, index) =>
      index === 0 ? { ...entry, detail: { ...entry.detail, agent_manifest: OTHER_HASH } } : entry,
    ),
  );
  assert.deepEqual(failures(await judged(recordUnder(facts, said, bare))), identity);
});

test("a record that names another manifest throughout, or none, is not of the manifest that was given", async () => {
  const other = { ...facts, thumbprint: OTHER_HASH };
  const given = failures(await judged(recordUnder(other), new Uint8Array(own)));
  assert.deepEqual(given, ["agent manifest in claim AGENT_MANIFEST_MISMATCH"]);
  const bare = relink(
    entriesUnder(facts).map((entry) => {
      const { agent_manifest: _, ...detail } = entry.detail ?? {};
      return { ...entry, detail };
    }),
  );
  const none = failures(await judged(recordUnder(facts, agentIdentity(facts, "svid"), bare)));
  assert.deepEqual(none, ["agent identity AGENT_MANIFEST_MISMATCH"]);
});

test("a receipt that names another manifest than its entry, or none, does not stand in the chain", () => {
  const [receipt] = instance.receiptsOf(record.entries);
  assert.ok(receipt !== undefined);
  const stands = (named: object): boolean => {
    const { agent_manifest: _, ...rest } = receipt;
    const context = {
      session: receipt.session_id,
      entries: factsOfEntries(record.entries, { numbers: new Set([1]), calls: false }),
    };
    return checkChainPosition({ ...rest, ...named }, context, new Checklist());
  };
  assert.equal(stands({ agent_manifest: facts.thumbprint }), true);
  assert.equal(stands({ agent_manifest: OTHER_HASH }), false);
  assert.equal(stands({}), false);
});

test("a manifest beside a claim that names no agent, and a root entry that alone names one, are refused", async () => {
  const entries = entriesOf(instance);
  const claim = claimOf(instance, entries);
  const given = await judged({ claim, entries }, new Uint8Array(own));
  assert.deepEqual(failures(given), ["agent manifest AGENT_MANIFEST_MISMATCH"]);
  const named = entriesUnder(facts);
  const silent = await judged({ claim: claimOf(instance, named), entries: named });
  assert.deepEqual(failures(silent), ["agent identity AGENT_MANIFEST_MISMATCH"]);
});

test("a revocation list that was given must be signed by a given key, in force, and not have the manifest", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = publicKey.export({ format: "jwk" }).x ?? "";
  const now = ISSUED_AT + 60;
  const listed = (more: Partial<RevocationList> = {}, publicKeyOf = key): Uint8Array =>
    signRevocations(
      { v: 1, sequence: 3, issued_at: now - 60, valid_until: now + 60, manifests: [], issuers: [], keys: [], ...more },
      { publicKey: publicKeyOf, sign: (message) => sign(null, message, privateKey).toString("base64url") },
    );
  const heldTo = async (signedList: Uint8Array, keys = [key]) => {
    const { claim, entries } = record;
    const parts = { claim, bundle: instance.bundle(entries), receipts: instance.receiptsOf(entries), manifest: own };
    return await judge(parts, {
      manifestAnchors,
      manifestRevocations: { signedList, keys },
      now: new Date(now * 1000),
    });
  };
  const held = await heldTo(listed());
  assert.deepEqual([held.outcome, failures(held), held.agent?.manifestVerified], ["accepted", [], true]);
  const revoked = ["agent manifest revocation AGENT_MANIFEST_MISMATCH"];
  for (const more of [{ manifests: [facts.manifestId] }, { issuers: [facts.issuer] }, { keys: [facts.keyId] }]) {
    const verdict = await heldTo(listed(more));
    assert.deepEqual([failures(verdict), verdict.agent?.manifestVerified], [revoked, false]);
  }
  const refused = ["agent manifest revocation AGENT_MANIFEST_REVOCATIONS_REFUSED"];
  const other = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x ?? "";
  assert.deepEqual(failures(await heldTo(listed({ valid_until: now }))), refused, "stale");
  assert.deepEqual(failures(await heldTo(listed({ issued_at: now + 1 }))), refused, "not yet in force");
  assert.deepEqual(failures(await heldTo(listed(), [other])), refused, "of no given key");
  assert.deepEqual(failures(await heldTo(listed({}, other), [other])), refused, "another key's name");
  assert.deepEqual(failures(await heldTo(Buffer.from("{}"))), refused, "no list");
});
