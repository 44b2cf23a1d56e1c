import assert from "node:assert/strict";
import { randomUUID, webcrypto } from "node:crypto";
import { describe, test } from "node:test";
import {
  approverDigest,
  recipientOf,
  sourceScopeOf,
  type Approver,
  type DisclosurePermission,
  type SignedPermission,
} from "@cmcp/approval";
import { SessionChain, type AuditEntry, type EntryFields } from "@cmcp/audit";
import { canonicalText, toBase64Url } from "@cmcp/boundary";
import { newApprover, newPasskey, permissionOf } from "../../../approval/src/testing/statements.ts";
import { Instance } from "../testing/instance.ts";
import { CATALOG_HASH, claimOf, failures, ISSUED_AT, judge, OTHER_HASH, POLICY_HASH } from "../testing/session.ts";

const instance = new Instance();
const NOW = ISSUED_AT - 60;
const SERVER = "spiffe://mail";
const [alice, bob] = [newApprover("alice"), newApprover("bob")];
const passkey = newPasskey("ES256");
const carol: Approver = { id: "carol", passkey: passkey.passkey };
const ALL = await named([alice.approver, bob.approver, carol]);

async function named(approvers: readonly Approver[]): Promise<string> {
  const all = approvers.map(async (one) => `${one.id}:${await approverDigest(webcrypto, one)}`);
  return (await Promise.all(all)).join(",");
}

const permission = (changes: Partial<DisclosurePermission> = {}): DisclosurePermission =>
  permissionOf(undefined, {
    not_before: NOW - 10,
    expires_at: NOW + 10,
    workload: "agent-1",
    source_scope: sourceScopeOf(instance.name, "stay"),
    labels: ["pii", "mnpi"],
    recipient: recipientOf(SERVER, "send_mail"),
    policy_version: POLICY_HASH,
    ...changes,
  });

const BOB_ALONE = await named([bob.approver]);

type Members = Readonly<Record<string, string | number>>;
const CALL = randomUUID();

/** The entry of a permission: that a call uses, or that arrived. */
function permits(
  signed: SignedPermission,
  {
    call = CALL,
    owner = alice.approver,
    detail = {},
  }: { call?: string | null; owner?: Approver; detail?: Members } = {},
): EntryFields {
  const { permission: said } = signed;
  return {
    entry_type: "approval",
    ...(call === null ? {} : { call_id: call }),
    policy_decision: "n/a",
    detail: {
      disclosure_id: said.request_id,
      disclosure_permission: canonicalText(said),
      approver: said.principal,
      approver_key: canonicalText(owner),
      ...("signature" in signed ? { approval_signature: signed.signature } : signed.assertion),
      disclosed_compartments: "pii",
      ...detail,
    },
  };
}

function sends(detail: Members = {}, fields: Partial<EntryFields> = {}): EntryFields {
  return {
    entry_type: "tool_call",
    call_id: CALL,
    tool_name: "send_mail",
    server_identity: SERVER,
    workflow_id: "default",
    policy_decision: "allow",
    policy_rule_matched: "stay",
    session_sensitivity_after: "public",
    effective_data_class: "public",
    detail: {
      policy_hash: POLICY_HASH,
      compliance_domain: "public",
      disclosure_id: permission().request_id,
      disclosed_by: "alice",
      disclosed_output: permission().output_sha256,
      ...detail,
    },
    ...fields,
  };
}

function session(fields: readonly EntryFields[], approvers: string): AuditEntry[] {
  const chain = new SessionChain(randomUUID(), () => NOW * 1000);
  const root = {
    policy_hash: POLICY_HASH,
    catalog_hash: CATALOG_HASH,
    enforcement_mode: "enforcing",
    launch_digest: OTHER_HASH,
    isolation: "network-namespace",
    channel: "plain",
    instance: instance.name,
    principal: "agent-1",
    approvers,
  };
  const start: EntryFields = { entry_type: "session_start", session_sensitivity_after: "public", detail: root };
  const end: EntryFields = {
    entry_type: "session_end",
    session_sensitivity_after: "public",
    detail: { policy_hash: POLICY_HASH },
  };
  return [start, ...fields, end].map((entry) => chain.append(entry));
}

async function judged(fields: readonly EntryFields[], approvers = ALL) {
  const entries = session(fields, approvers);
  return await judge({ claim: claimOf(instance, entries), bundle: instance.bundle(entries) });
}

describe("disclosures in a record", () => {
  const sound = alice.permit(permission());

  test("are accepted where an owner permitted each, and the verdict says who permitted what to whom", async () => {
    const verdict = await judged([permits(sound, { call: null }), permits(sound), sends()]);
    assert.deepEqual(failures(verdict), []);
    const { recipient, purpose, request_id } = sound.permission;
    assert.deepEqual(verdict.disclosures, [
      { call_id: CALL, disclosure_id: request_id, owner: "alice", recipient, purpose },
    ]);
    assert.match(verdict.checks.find(({ name }) => name === "disclosures")?.why ?? "", /send_mail by alice/);
    assert.deepEqual(failures(await judged([permits(sound, { call: null })])), [], "it was not used");
    assert.equal((await judged([])).disclosures, undefined);
    const withheld = sends({}, { policy_decision: "deny", policy_rule_matched: "keep-result" });
    assert.deepEqual(failures(await judged([permits(sound), withheld])), []);
  });

  test("are accepted of a passkey's owner", async () => {
    const signed = passkey.permit(permission({ principal: "carol" }));
    const by = { disclosed_by: "carol" };
    assert.deepEqual(failures(await judged([permits(signed, { owner: carol }), sends(by)])), []);
    const other = passkey.permit(permission({ principal: "carol" }), { client: { origin: "https://evil.example" } });
    assert.deepEqual(failures(await judged([permits(other, { owner: carol }), sends(by)])), [
      "disclosures DISCLOSURE_NOT_PROVEN",
    ]);
  });

  const given = (changes: Partial<DisclosurePermission>): EntryFields => permits(alice.permit(permission(changes)));
  const elsewhere = toBase64Url(new Uint8Array(32).fill(9));
  const cases: Readonly<Record<string, readonly [readonly EntryFields[], RegExp, string?]>> = {
    "no permission": [[sends()], /no permission was recorded/],
    "an arrival alone": [[permits(sound, { call: null }), sends()], /no permission was recorded/],
    "a permission of another call": [[permits(sound, { call: randomUUID() }), sends()], /no permission was recorded/],
    "another permission": [[given({ request_id: "02".repeat(32) }), sends()], /no permission was recorded/],
    "a second use": [[permits(sound), sends(), permits(sound), sends()], /used before/],
    "a second call": [[permits(sound), sends(), sends()], /no permission was recorded/],
    "an owner that is not measured": [[permits(sound), sends()], /does not name this owner/, BOB_ALONE],
    "another key of the owner": [
      [permits(newApprover("alice").permit(permission())), sends()],
      /the owner did not sign it/,
    ],
    "another owner's key": [[permits(bob.permit(permission()), { owner: bob.approver }), sends()], /did not sign it/],
    "what is no permission": [[permits(sound, { detail: { disclosure_permission: "{}" } }), sends()], /no signed perm/],
    "another id": [[permits(sound, { detail: { disclosure_id: "03".repeat(32) } }), sends()], /no signed permission/],
    "no key": [[permits(sound, { detail: { approver_key: "{" } }), sends()], /no signed permission/],
    "another agent": [[given({ workload: "agent-2" }), sends()], /another agent/],
    "an earlier time": [[given({ not_before: NOW - 30, expires_at: NOW }), sends()], /not of that time/],
    "a later time": [[given({ not_before: NOW + 1 }), sends()], /not of that time/],
    "more that was seen": [
      [permits(sound, { detail: { disclosed_compartments: "pii,hipaa_phi" } }), sends()],
      /all that/,
    ],
    "another tool": [[permits(sound), sends({}, { tool_name: "send_all" })], /another recipient/],
    "another server": [[permits(sound), sends({}, { server_identity: "spiffe://other" })], /another recipient/],
    "another method": [[permits(sound), sends({ method: "prompts/get" })], /another recipient/],
    "other bytes": [[permits(sound), sends({ disclosed_output: "0".repeat(64) })], /other bytes/],
    "another purpose": [[permits(sound), sends({}, { workflow_id: "billing" })], /another purpose/],
    "another policy": [[given({ policy_version: OTHER_HASH }), sends()], /another policy/],
    "another owner's name": [[permits(sound), sends({ disclosed_by: "bob" })], /another owner/],
    "another rule": [[permits(sound), sends({}, { policy_rule_matched: "leave" })], /another instance or rule/],
    "a rule whose name begins so": [
      [permits(sound), sends({}, { policy_rule_matched: "sta" })],
      /another instance or rule/,
    ],
    "another instance, of a call that failed": [
      [given({ source_scope: sourceScopeOf(elsewhere, "stay") }), sends({}, { policy_decision: "fault" })],
      /another instance or rule/,
    ],
    "another approver's name": [[permits(sound, { detail: { approver: "bob" } }), sends()], /no signed permission/],
    "another instance": [
      [given({ source_scope: sourceScopeOf(elsewhere, "stay") }), sends()],
      /another instance or rule/,
    ],
  };
  for (const [what, [fields, why, approvers = ALL]] of Object.entries(cases))
    test(`are refused: ${what}`, async () => {
      const verdict = await judged(fields, approvers);
      assert.deepEqual(failures(verdict), ["disclosures DISCLOSURE_NOT_PROVEN"]);
      assert.match(verdict.checks.find(({ name }) => name === "disclosures")?.why ?? "", why);
      assert.equal(verdict.disclosures, undefined);
    });
});
