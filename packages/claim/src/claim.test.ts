import assert from "node:assert/strict";
import { test } from "node:test";
import { buildClaim } from "./build.ts";
import { claimSchema, type Claim } from "./claim.ts";
import { signClaim } from "./sign.ts";
import { call, entriesOf, inputOf, POLICY, signWithKey } from "./testing/session.ts";

const claim = signClaim(buildClaim(inputOf(entriesOf(call("echo", "allow")))), signWithKey);
const accepted = (value: unknown): boolean => claimSchema.safeParse(value).success;

/** Every object of a claim, each rebuilt with `change` applied to it alone. */
function objectsChanged(
  value: unknown,
  change: (object: Record<string, unknown>) => Record<string, unknown>[],
): unknown[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) => objectsChanged(item, change).map((changed) => value.with(index, changed)));
  if (typeof value !== "object" || value === null) return [];
  const object = value as Record<string, unknown>;
  const below = Object.entries(object).flatMap(([key, member]) =>
    objectsChanged(member, change).map((changed) => ({ ...object, [key]: changed })),
  );
  return [...change(object), ...below];
}

test("nothing may be added to a claim, at any depth", () => {
  const added = objectsChanged(claim, (object) => [{ ...object, appraisal: { status: "none" } }]);
  assert.equal(added.length, 13);
  for (const value of added) assert.ok(!accepted(value), JSON.stringify(value));
});

test("nothing a claim requires may be left out, and an absent optional is absent, not null", () => {
  const without = objectsChanged(claim, (object) =>
    Object.keys(object).map((key) => Object.fromEntries(Object.entries(object).filter(([name]) => name !== key))),
  );
  assert.ok(without.length > 40);
  for (const value of without) assert.ok(!accepted(value), JSON.stringify(value));
  const optional = ["prev_claim_hash", "attestation_evidence"] as const;
  for (const member of optional)
    assert.ok(!accepted({ ...claim, gateway: { ...claim.gateway, [member]: null } }), member);
});

test("the optional parts are read in their documented form", () => {
  const gateway: Claim["gateway"] = {
    ...claim.gateway,
    prev_claim_hash: POLICY,
    attestation_evidence: { raw_evidence: "AA", quote_signature: "AA", cert_chain: "PEM" },
  };
  assert.ok(accepted({ ...claim, gateway }));
  assert.ok(!accepted({ ...claim, gateway: { ...gateway, attestation_evidence: { collateral: "AA" } } }));
});

/** The members of an object, those of its members among them, as paths. */
function pathsOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  const step = (key: string): string => (Array.isArray(value) ? `${path}[]` : `${path}.${key}`);
  return Object.entries(value).flatMap(([key, member]) => [step(key), ...pathsOf(member, step(key))]);
}

/** The paths that a JSON Schema has members for; a map's names are its own. */
function schemaPaths(schema: JsonSchema, path = ""): string[] {
  const items = schema.items === undefined ? [] : schemaPaths(schema.items, `${path}[]`);
  const members = Object.entries(schema.properties ?? {});
  return [
    ...items,
    ...members.flatMap(([key, member]) => [`${path}.${key}`, ...schemaPaths(member, `${path}.${key}`)]),
  ];
}

interface JsonSchema {
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

test("every member that is read is one that some claim has", () => {
  const input = inputOf(entriesOf(call("echo", "allow")), { previousClaimHash: POLICY });
  const full = buildClaim({
    ...input,
    session: { ...input.session, edgesRepresent: "order of calls" },
    attestation: {
      ...input.attestation,
      evidence: { raw_evidence: "AA", quote_signature: "AA", cert_chain: "PEM" },
    },
  });
  const paths = new Set(pathsOf(signClaim(full, signWithKey)));
  const read = schemaPaths(claimSchema.toJSONSchema() as JsonSchema);
  assert.ok(read.length > 40);
  assert.deepEqual(
    read.filter((path) => !paths.has(path)),
    [],
  );
});

test("values of another form are refused", () => {
  const trace = (change: object): unknown => ({ ...claim, trace: { ...claim.trace, ...change } });
  const gateway = (change: object): unknown => ({ ...claim, gateway: { ...claim.gateway, ...change } });
  const { runtime, policy, cnf, tool_transcript: transcript } = claim.trace;
  const refused: unknown[] = [
    { ...claim, cmcp_version: "1.1" },
    { ...claim, signature: "x".repeat(129) },
    trace({ eat_profile: "tag:agentrust-io.com,2026:trace-v0.3" }),
    trace({ iat: 1_699_999_999 }),
    trace({ iat: 2 ** 53 }),
    trace({ subject: "spiffe://other/tee/0123456789abcdef" }),
    trace({ runtime: { ...runtime, platform: "opaque" } }),
    trace({ runtime: { ...runtime, nonce: runtime.nonce.slice(1) } }),
    trace({ policy: { ...policy, enforcement_mode: "enforcing" } }),
    trace({ policy: { ...policy, bundle_hash: policy.bundle_hash.toUpperCase() } }),
    trace({ cnf: { jwk: { ...cnf.jwk, crv: "P-256" } } }),
    trace({ cnf: { jwk: { ...cnf.jwk, kid: "key-1" } } }),
    trace({ tool_transcript: { ...transcript, call_count: -1 } }),
    trace({ tool_transcript: { ...transcript, entries: [{ tool_name: "t", data_class: "c", decision: "step_up" }] } }),
    gateway({ session_id: "label" }),
    gateway({ sequence_number: 0 }),
    gateway({ audit_chain: { root: "genesis", tip: claim.gateway.audit_chain.tip, length: 1 } }),
    gateway({ attestation_generated_at: "now" }),
    gateway({ catalog_exceptions: [{ tool_name: "echo" }] }),
    gateway({ kill_switch_triggered: true }),
  ];
  for (const value of refused) assert.ok(!accepted(value), JSON.stringify(value));
});
