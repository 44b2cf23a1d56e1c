/** The column "measured" of docs/reference/configuration.md: for each key, whether another value is another launch document. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { buildLaunchDocument, EAT_PROFILE_V01, EAT_PROFILE_V02, launchDigest, parseConfig } from "@cmcp/launch";
import { newPasskey } from "../../packages/approval/src/testing/statements.ts";
import { ROOT } from "../gateway/deployment.ts";

type Tree = { [key: string]: unknown };

const publicKey = (): string => generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x ?? "";
const SIGNING_KEY = publicKey();
const jwk = (kid: string): Tree => ({ kty: "OKP", crv: "Ed25519", x: publicKey(), kid });
const BOB = { id: "bob", passkey: newPasskey("ES256").passkey };
const FINGERPRINT = `SHA256:${Buffer.alloc(32, 1).toString("base64")}`;
const server = {
  environment: { A: "1" },
  tasks: 8,
  memory_mib: 1024,
  scratch_mib: 64,
  open_files: 64,
  cpu_seconds: 60,
};
const issuer = {
  issuer: "https://login.example/",
  audience: ["https://gw.example/mcp"],
  jwks: { keys: [jwk("k")] },
  algorithms: ["EdDSA"],
  types: ["at+jwt"],
  clock_skew_seconds: 60,
  max_lifetime_seconds: 3600,
  subjects: [{ subject: "x", principal: "default", workflows: ["w"] }],
  any_subject: { prefix: "someone:", workflows: ["default"] },
  scope_workflows: { "mcp:call": ["w"] },
  require_dpop: true,
  claims: { unit: { claim: "unit", kind: "text" } },
};

/** A trust domain, and its bundle. */
const svidKey = (kid: string): Tree => ({ ...jwk(kid), use: "jwt-svid" });
const BUNDLE = { keys: [svidKey("k")], spiffe_sequence: 1, spiffe_refresh_hint: 60 };
const trustDomain = {
  trust_domain: "bank.example",
  audience: ["https://gw.example/mcp"],
  algorithms: ["ES256"],
  clock_skew_seconds: 60,
  max_lifetime_seconds: 600,
  subjects: [{ subject: "spiffe://bank.example/x", principal: "default", workflows: ["w"] }],
  any_subject: { workflows: ["default"] },
  scope_workflows: { "mcp:call": ["w"] },
  claims: { unit: { claim: "unit", kind: "text" } },
};

/** An issuer whose keys are fetched. */
const { jwks: _, ...measuredIssuer } = issuer;
const fetchedIssuer = {
  ...measuredIssuer,
  jwks_uri: "https://login.example/keys",
  jwks_fetch: {
    trust: "private-ca",
    roots: ["corp"],
    issuer_pins: [`SHA256:${Buffer.alloc(32, 1).toString("base64")}`],
    refresh_seconds: 60,
    max_age_seconds: 600,
  },
};

/** A file with every key that can be set, but for those of another launcher. */
const PROCESS: Tree = {
  attestation: {
    provider: "software-only",
    enforcement_mode: "enforcing",
    validity_seconds: 60,
    staleness_policy: "fail_closed",
    expected_measurement: `sha256:${"a".repeat(64)}`,
    allow_unmeasured_spawn: false,
    required_provenance_kind: "observer-attested",
  },
  policy_bundle_path: "policies/",
  catalog_path: "catalog.json",
  launcher: "process",
  listen_addr: "127.0.0.1:8443",
  max_response_size_bytes: 1000,
  policy_reload_interval_seconds: 5,
  catalog_reload_interval_seconds: 5,
  audit_db_path: "audit.db",
  audit_archive_path: "archive",
  log: {
    origin: "gateway.example/0",
    predecessors: [
      {
        launch_digest: `sha256:${"a".repeat(64)}`,
        launch_digest_sha384: `sha384:${"a".repeat(96)}`,
        registers: { measurement: "a".repeat(96) },
      },
    ],
    lost_store: { reason: "disk lost" },
    appraisal: { description: "own machines" },
    certificates: ["PEM"],
    auditors: ["BFDYbXzTGUtkRhsfqTHwAzQpJyMVCIHzaRtPfLGCDFA"],
    auditors_term_days: 30,
    witnesses: "quorum none\n",
    witness_wait_ms: 5000,
  },
  log_key_path: "log.key",
  former_witnesses: "quorum none\n",
  witness_urls: { a: "https://witness.example/" },
  catalog: { drift_policy: "fail_closed" },
  sensitivity: { vocabulary: { board: 4 } },
  kill_switch: { enabled: true, window_seconds: 60, deny_rate_threshold: 0.5, min_calls: 4 },
  agent_manifest: {
    anchors: [{ public_key: publicKey(), issuers: ["spiffe://bank.example/issuers/desk"] }],
    revocation_keys: [publicKey()],
    min_revocations_sequence: 3,
  },
  sink_policy: { tool_max_sensitivity: { pay: "public" }, response_max_sensitivity: "pii" },
  enclave: {
    integrity: { scope: "session" },
    channel: "plain",
    pad_sealed_answers: true,
    rate_limits: [{ principal: "default", tool: "pay", window_seconds: 60, max_calls: 1 }],
    budgets: [{ principal: "default", tool: "pay", window_seconds: 60, max_bytes_sent: 1 }],
    eat_profile: EAT_PROFILE_V02,
    claims: "session",
    max_sessions: 4096,
    max_sessions_per_principal: 64,
    session_idle_seconds: 60,
    sensitivity_floor_seconds: 60,
    drift_check_seconds: 60,
    upstream_connect_timeout_ms: 1000,
    upstream_idle_timeout_ms: 1000,
    upstream_call_timeout_ms: 1000,
    server_roots: { corp: ["MIIB"] },
    spiffe_bundles: { "bank.example": BUNDLE },
    stdio: { max_processes: 64, max_processes_per_principal: 8, idle_seconds: 60, servers: { notes: server } },
    workflows: ["default"],
    workflow_tools: { default: ["pay"] },
    tool_search: true,
    listed_tools: ["pay"],
    finding_labels: {
      secrets: "confidential",
      personal_data: "pii",
      contacts: "pii",
      injection_marks: "pii",
      hidden_text: "pii",
      carrying_links: "pii",
    },
    principals: [{ id: "default" }, { id: "billing", workflows: ["w"] }],
    identity: {
      resource: "https://gw.example/mcp",
      scopes_supported: [],
      jwt: [issuer],
      spiffe: [trustDomain],
      host_asserted: { trust_domains: ["bank.example"] },
    },
    token_file: "tokens",
    credentials_file: "credentials",
    operator_keys: [publicKey()],
    catalog_keys: [
      { id: "carol", ed25519: publicKey() },
      { id: "dave", ed25519: publicKey() },
    ],
    catalog_approvals: 1,
    approvers: [{ id: "alice", ed25519: publicKey() }, BOB],
    approval_seconds: 60,
    defer_seconds: 20,
    approval_url: "https://gw.example/approve/",
    approval_webhook: { url: "https://hook.example/", tls_fingerprint: FINGERPRINT },
    allowed_origins: ["https://app.example"],
    egress_allow: ["10.0.0.1:1"],
  },
};
/** The mode cannot be another under it. */
const PROFILED: Tree = { ...PROCESS, conformance_profile: "aarm" };
const VSOCK: Tree = { launcher: "vsock", vsock: { cid: 7, port: 5000 } };
const HYBRID: Tree = { launcher: "vsock", vsock: { hybrid_socket: "socket", port: 5000 } };
/** Of a list its last member is changed. */
const KEY_APPROVERS: Tree = { enclave: { approvers: [{ id: "alice", ed25519: publicKey() }] } };
const fetchedBy = (jwksFetch: object): Tree => {
  const jwt = [{ ...fetchedIssuer, jwks_fetch: jwksFetch }];
  return { enclave: { identity: { resource: "https://gw.example/mcp", jwt } } };
};
const FETCHED = fetchedBy(fetchedIssuer.jwks_fetch);
const FETCHED_BY_PIN = fetchedBy({ pins: fetchedIssuer.jwks_fetch.issuer_pins });
/** The host then has no tokens to give. */
const STATEMENTS: Tree = { enclave: { provisioning_keys: [publicKey()] } };
const QEMU: Tree = {
  attestation: { provider: "tpm" },
  launcher: "qemu",
  qemu: {
    image: "image",
    memory_mb: 1024,
    vcpus: 1,
    cpu: "EPYC-v4",
    accelerator: "auto",
    cid: 7,
    quote_generation_socket: "qgs",
    console_log: "console.log",
    tpm_state: "tpm",
  },
};

/** Another value of the key, where it is not the next number, the other truth or a longer text. */
const OTHER: Readonly<Record<string, unknown>> = {
  "attestation.required_provenance_kind": "publisher-asserted",
  launcher: "vsock",
  listen_addr: "127.0.0.1:8444",
  "log.origin": "gateway.example/1",
  "log.predecessors": [],
  "log.predecessors[].launch_digest": `sha256:${"b".repeat(64)}`,
  "log.predecessors[].launch_digest_sha384": `sha384:${"b".repeat(96)}`,
  "log.predecessors[].registers": { measurement: "b".repeat(96) },
  "log.lost_store": { reason: "stolen" },
  "log.appraisal": {},
  "log.certificates": [],
  "log.auditors": ["hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"],
  witness_urls: { a: "https://other.example/" },
  "attestation.provider": "tpm",
  "attestation.enforcement_mode": "silent",
  "attestation.staleness_policy": "warn_only",
  "attestation.expected_measurement": `sha256:${"b".repeat(64)}`,
  "qemu.accelerator": "kvm",
  "catalog.drift_policy": "warn_only",
  "sensitivity.vocabulary": { board: 5 },
  "sensitivity.compliance_domains": { gdpr: true },
  "enclave.integrity.scope": "principal",
  "enclave.channel": "sealed",
  "enclave.pad_sealed_answers": false,
  "kill_switch.deny_rate_threshold": 0.6,
  agent_manifest: null,
  "agent_manifest.anchors": [{ public_key: publicKey() }],
  "agent_manifest.anchors[].public_key": publicKey(),
  "agent_manifest.anchors[].issuers": ["spiffe://bank.example/issuers/door"],
  "agent_manifest.revocation_keys": [publicKey()],
  conformance_profile: null,
  sink_policy: null,
  "sink_policy.tool_max_sensitivity": {},
  "enclave.rate_limits": [],
  "enclave.rate_limits[].principal": "billing",
  "enclave.budgets": [],
  "enclave.budgets[].principal": "billing",
  "enclave.eat_profile": EAT_PROFILE_V01,
  "enclave.claims": "call",
  "enclave.server_roots": {},
  "enclave.spiffe_bundles": {},
  "enclave.spiffe_bundles.*.keys": [svidKey("other")],
  "enclave.stdio": {},
  "enclave.stdio.servers": {},
  "enclave.stdio.servers.*.environment": {},
  "enclave.workflows": ["default", "more"],
  "enclave.principals[].role": "auditor",
  "enclave.workflow_tools": { default: [] },
  "enclave.tool_search": false,
  "enclave.listed_tools": [],
  "enclave.finding_labels": {},
  "enclave.principals": [{ id: "default" }],
  "enclave.principals[].id": "another",
  "enclave.principals[].workflows": ["w", "v"],
  "enclave.identity": null,
  "enclave.identity.resource": "https://other.example/mcp",
  "enclave.identity.scopes_supported": ["read"],
  "enclave.identity.jwt": [],
  "enclave.identity.jwt[].audience": ["https://other.example/mcp"],
  "enclave.identity.jwt[].jwks": { keys: [jwk("other")] },
  "enclave.identity.jwt[].jwks.keys": [jwk("other")],
  "enclave.identity.jwt[].jwks_uri": "https://login.example/other",
  "enclave.identity.jwt[].jwks_fetch": { pins: [`SHA256:${Buffer.alloc(32, 2).toString("base64")}`] },
  "enclave.identity.jwt[].jwks_fetch.trust": "webpki",
  "enclave.identity.jwt[].jwks_fetch.roots": ["lab"],
  "enclave.identity.jwt[].jwks_fetch.issuer_pins": [`SHA256:${Buffer.alloc(32, 2).toString("base64")}`],
  "enclave.identity.jwt[].jwks_fetch.pins": [`SHA256:${Buffer.alloc(32, 2).toString("base64")}`],
  "enclave.identity.jwt[].algorithms": ["EdDSA", "ES256"],
  "enclave.identity.jwt[].types": ["JWT"],
  "enclave.identity.jwt[].subjects": [],
  "enclave.identity.jwt[].subjects[].principal": "billing",
  "enclave.identity.jwt[].subjects[].workflows": ["v"],
  "enclave.identity.jwt[].any_subject": null,
  "enclave.identity.jwt[].any_subject.workflows": ["v"],
  "enclave.identity.jwt[].scope_workflows": null,
  "enclave.identity.jwt[].claims": {},
  "enclave.identity.jwt[].claims.*.kind": "texts",
  "enclave.identity.spiffe": null,
  "enclave.identity.spiffe[].audience": ["https://other.example/mcp"],
  "enclave.identity.spiffe[].algorithms": ["ES384"],
  "enclave.identity.spiffe[].subjects": [],
  "enclave.identity.spiffe[].subjects[].principal": "billing",
  "enclave.identity.spiffe[].subjects[].workflows": ["v"],
  "enclave.identity.spiffe[].any_subject": null,
  "enclave.identity.spiffe[].any_subject.workflows": ["v"],
  "enclave.identity.spiffe[].scope_workflows": null,
  "enclave.identity.spiffe[].claims": {},
  "enclave.identity.spiffe[].claims.*.kind": "texts",
  "enclave.identity.host_asserted": null,
  "enclave.identity.host_asserted.trust_domains": ["other.example"],
  "enclave.operator_keys": [],
  "enclave.catalog_keys": [{ id: "carol", ed25519: publicKey() }],
  "enclave.catalog_keys[].ed25519": publicKey(),
  "enclave.provisioning_keys": [],
  "enclave.approvers": [],
  "enclave.approvers[].ed25519": publicKey(),
  "enclave.approvers[].passkey.public_key": newPasskey("ES256").passkey.public_key,
  "enclave.approvers[].passkey.origins": ["http://localhost:4001"],
  "enclave.approval_url": "https://gw.example/other/",
  "enclave.approval_webhook.url": "https://hook.example/other",
  "enclave.approval_webhook.tls_fingerprint": `SHA256:${Buffer.alloc(32, 2).toString("base64")}`,
  "enclave.allowed_origins": [],
  "enclave.egress_allow": ["10.0.0.1:2"],
};

function baseOf(key: string): Tree {
  if (key === "enclave.approvers[].ed25519") return KEY_APPROVERS;
  if (key === "vsock.hybrid_socket") return HYBRID;
  if (key === "enclave.identity.jwt[].jwks_fetch.pins") return FETCHED_BY_PIN;
  if (key.startsWith("enclave.identity.jwt[].jwks_")) return FETCHED;
  if (key === "enclave.provisioning_keys") return STATEMENTS;
  if (key === "conformance_profile") return PROFILED;
  return key.startsWith("vsock.") ? VSOCK : key.startsWith("qemu.") ? QEMU : PROCESS;
}

/** The file with another value of the key; of a list its last member has it, of a map its first. */
function changed(base: Tree, key: string): Tree {
  const file = structuredClone(base);
  const steps = key.replaceAll("[]", ".[]").split(".");
  let at: Tree = file;
  const named = (step: string): string =>
    step === "[]" ? String(Object.keys(at).length - 1) : step === "*" ? (Object.keys(at)[0] ?? "") : step;
  for (const step of steps.slice(0, -1)) at = at[named(step)] as Tree;
  const last = named(steps.at(-1) ?? "");
  const before = at[last];
  at[last] = Object.hasOwn(OTHER, key)
    ? OTHER[key]
    : typeof before === "number"
      ? before + 1
      : typeof before === "boolean"
        ? !before
        : `${String(before)}x`;
  assert.notDeepEqual(at[last], before, `${key} is in the file`);
  // Roots belong to one kind of trust.
  if (key === "enclave.identity.jwt[].jwks_fetch.trust") delete at["roots"];
  // A workload is of its trust domain.
  if (key === "enclave.identity.spiffe[].trust_domain") delete at["subjects"];
  // Another launcher needs its machine; its keys are not measured either.
  return key === "launcher" ? { ...file, vsock: VSOCK["vsock"] } : file;
}

function digestOf(file: Tree): string {
  const { config } = parseConfig(JSON.stringify(file), {
    env: { CMCP_DEV_MODE: "1", CMCP_POLICY_SIGNING_KEY: SIGNING_KEY },
  });
  return launchDigest(
    buildLaunchDocument({
      v: 1,
      platform: config.attestation.provider,
      development: true,
      config,
      policy_bundle: { "manifest.json": "{}" },
      catalog: [],
      pins: {},
      trust_anchors: { policy_signing_key: SIGNING_KEY },
    }),
  );
}

const page = await readFile(join(ROOT, "docs/reference/configuration.md"), "utf8");
const rows = [...page.matchAll(/^\| `([a-z0-9_.*[\]]+)` \| [^|]+ \| [^|]* \| (yes|) ?\| .* \|$/gm)].map(
  ([, key = "", measured = ""]) => ({ key, isMeasured: measured === "yes" }),
);

test("the table is read whole", () => {
  const lines =
    page.slice(page.indexOf("<!-- begin generated"), page.indexOf("<!-- end generated")).match(/^\| `/gm) ?? [];
  assert.ok(rows.length > 80);
  assert.equal(rows.length, lines.length);
});

for (const { key, isMeasured } of rows) {
  test(`${key}: is ${isMeasured ? "" : "not "}measured`, () => {
    const base = baseOf(key);
    assert.equal(digestOf(changed(base, key)) !== digestOf(base), isMeasured);
  });
}
