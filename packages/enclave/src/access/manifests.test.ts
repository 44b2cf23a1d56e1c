import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted, type JsonObject } from "@cmcp/boundary";
import { authenticatedCaller } from "../../../identity/src/authenticated-caller.ts";
import { ManifestIssuer, manifestMembers } from "../../../manifest/src/testing/issuer.ts";
import { signRevocations, type RevocationList } from "@cmcp/manifest";
import { Caller } from "./caller.ts";
import { Manifests, MAX_PRESENTED } from "./manifests.ts";

const DESK = "spiffe://bank.example/agents/desk";
const [issuer, authority] = [new ManifestIssuer(1), new ManifestIssuer(2)];
const NOW = Date.parse("2026-11-10T00:00:00Z");
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

/** A gateway's manifests; a test changes the time and the policy in force. */
function scene(more: { readonly min_revocations_sequence?: number } = {}) {
  const state = { now: NOW, policy: digest("a") };
  const manifests = new Manifests(
    { anchors: [issuer.anchor], revocation_keys: [authority.publicKey], ...more },
    { policyHash: () => state.policy, catalogHash: () => digest("b"), mode: "enforcing", now: () => state.now },
  );
  return { state, manifests };
}

function list(more: Partial<RevocationList> = {}, signer = authority) {
  const said = { v: 1 as const, sequence: 1, issued_at: NOW / 1000, valid_until: NOW / 1000 + 3600 };
  const bytes = signRevocations(
    { ...said, manifests: [], issuers: [], keys: [], ...more },
    { publicKey: signer.publicKey, sign: (message) => signer.sign(message).toString("base64url") },
  );
  return untrusted(bytes);
}
const bearer = (principalId: string, channel: "plain" | "sealed" = "plain"): Caller =>
  new Caller({ principalId, source: "bearer" }, null, { channel });
const manifest = (more: JsonObject = {}) => untrusted(new Uint8Array(issuer.json(manifestMembers(more))));
const failed = (reason: string) => ({ code: "AGENT_MANIFEST_BINDING_FAILED", detail: { reason } });

test("without a list in force nothing counts: it is missing, or it is over", () => {
  const { state, manifests } = scene();
  assert.throws(() => manifests.present(bearer(DESK), manifest()), failed("revocations"));
  manifests.takeRevocations(list());
  const held = manifests.present(bearer(DESK), manifest());
  assert.equal(manifests.problemOf(held), null);
  state.now += 3600 * 1000 - 1;
  assert.equal(manifests.problemOf(held), null);
  state.now += 1;
  assert.equal(manifests.problemOf(held), "revocations");
  assert.throws(() => manifests.of(bearer(DESK)), failed("revocations"));
  manifests.takeRevocations(list({ sequence: 2, valid_until: NOW / 1000 + 7200 }));
  assert.equal(manifests.problemOf(held), null);
});

test("a list counts if a revocation key signed it, it is in force, and it is newer; a refused one changes nothing", () => {
  const { manifests } = scene();
  manifests.takeRevocations(list({ sequence: 5, keys: [issuer.keyId] }));
  const refused = (bytes: ReturnType<typeof list>, message: RegExp): void =>
    assert.throws(() => manifests.takeRevocations(bytes), { code: "AGENT_MANIFEST_REVOCATIONS_REFUSED", message });
  refused(list({ sequence: 6 }, issuer), /signed/);
  refused(list({ sequence: 5 }), /sequence/);
  refused(list({ sequence: 6, issued_at: NOW / 1000 + 1 }), /in force/);
  refused(list({ sequence: 6, issued_at: 0, valid_until: 60 }), /in force/);
  assert.throws(() => manifests.present(bearer(DESK), manifest()), failed("revoked"));
});

test("an instance that has just started takes no list below the least sequence of its launch document", () => {
  const { manifests } = scene({ min_revocations_sequence: 7 });
  assert.throws(() => manifests.takeRevocations(list({ sequence: 6 })), {
    code: "AGENT_MANIFEST_REVOCATIONS_REFUSED",
    message: /min_revocations_sequence/,
  });
  assert.equal(manifests.revocations, null);
  assert.equal(manifests.takeRevocations(list({ sequence: 7 })).sequence, 7);
});

test("the subject is the caller's own: a JWT's subject, or the principal of a bearer token, and nothing else", () => {
  const { manifests } = scene();
  manifests.takeRevocations(list());
  const jwt = (subject: string): Caller =>
    new Caller(
      authenticatedCaller({
        source: "jwt",
        principalId: "desk",
        workflows: null,
        issuer: "https://login.example",
        subject,
        thumbprint: null,
        keySet: null,
        claims: new Map(),
        expiresAt: Number.POSITIVE_INFINITY,
      }),
      null,
    );
  assert.equal(manifests.present(bearer(DESK), manifest()).source, "config");
  assert.equal(manifests.present(jwt(DESK), manifest()).source, "svid");
  const tokenless = new Caller({ principalId: DESK, source: "tokenless" }, null);
  for (const caller of [bearer("alice"), bearer(`${DESK}s`), jwt("desk"), jwt(`${DESK}s`), tokenless])
    assert.throws(() => manifests.present(caller, manifest()), failed("subject"));
});

test("a key that is no anchor, and a signature that is not its own, are told apart", () => {
  const { manifests } = scene();
  manifests.takeRevocations(list());
  const other = new ManifestIssuer(3).json();
  assert.throws(() => manifests.present(bearer(DESK), untrusted(new Uint8Array(other))), failed("key"));
  const changed = Buffer.from(issuer.json().toString("utf8").replace("reads tickets", "reads secrets"));
  assert.throws(() => manifests.present(bearer(DESK), untrusted(new Uint8Array(changed))), failed("signature"));
});

test("a manifest ends with its time, and with the policy that it names", () => {
  const { state, manifests } = scene();
  manifests.takeRevocations(list({ valid_until: NOW / 1000 + 30 * 86_400 }));
  const held = manifests.present(bearer(DESK), manifest());
  state.policy = digest("c");
  assert.equal(manifests.problemOf(held), "policy");
  assert.throws(() => manifests.of(bearer(DESK)), failed("policy"));
  state.policy = digest("a");
  state.now = Date.parse("2026-12-01T00:00:00Z");
  assert.equal(manifests.problemOf(held), "expired");
});

test("a refused manifest leaves the one before, and each channel has its own", () => {
  const { manifests } = scene();
  manifests.takeRevocations(list());
  assert.throws(() => manifests.of(bearer(DESK)), failed("none"));
  const held = manifests.present(bearer(DESK), manifest());
  assert.throws(() => manifests.present(bearer(DESK), manifest({ agent_id: `${DESK}s` })), failed("subject"));
  assert.equal(manifests.of(bearer(DESK)), held);
  assert.throws(() => manifests.of(bearer(DESK, "sealed")), failed("none"));
});

test("a bounded number is kept, and those that are over make room", () => {
  const { state, manifests } = scene();
  manifests.takeRevocations(list({ valid_until: NOW / 1000 + 30 * 86_400 }));
  const agent = (number: number): string => `spiffe://bank.example/agents/n${number}`;
  const present = (number: number, more: JsonObject = {}): unknown =>
    manifests.present(bearer(agent(number)), manifest({ agent_id: agent(number), ...more }));
  present(0, { expires_at: "2026-11-10T01:00:00Z" });
  for (let number = 1; number < MAX_PRESENTED; number += 1) present(number);
  assert.throws(() => present(MAX_PRESENTED), { code: "OVERLOADED" });
  present(1);
  state.now = Date.parse("2026-11-10T01:00:00Z");
  present(MAX_PRESENTED);
  assert.throws(() => manifests.of(bearer(agent(0))), failed("none"));
});
