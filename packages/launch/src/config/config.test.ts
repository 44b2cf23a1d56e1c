import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { EAT_PROFILE_V02, isLoopback, parseHostPort } from "../index.ts";
import { DEVELOPMENT, parse, refused } from "./testing/configuration.ts";

void describe("auditors' keys", () => {
  void it("are of X-Wing or X25519, and can be eight", () => {
    const auditors = Array.from({ length: 8 }, (_, at) =>
      Buffer.alloc(at % 2 === 0 ? 1_216 : 32, at + 1).toString("base64url"),
    );
    assert.deepEqual(parse(`log: {auditors: [${auditors.join()}]}`).config.log.auditors, auditors);
  });
});

void describe("defaults", () => {
  void it("are the published ones for an empty file", () => {
    const { config, host } = parse("");
    assert.deepEqual(config, {
      attestation: {
        provider: "auto",
        enforcement_mode: "enforcing",
        validity_seconds: 86_400,
        staleness_policy: "fail_closed",
        expected_measurement: null,
      },
      catalog: { drift_policy: "fail_closed" },
      max_response_size_bytes: 2_097_152,
      policy_reload_interval_seconds: 0,
      sensitivity: { vocabulary: {} },
      log: { origin: "cmcp.localhost/0", predecessors: [], appraisal: {}, certificates: [] },
      enclave: {
        eat_profile: EAT_PROFILE_V02,
        max_sessions: 4096,
        max_sessions_per_principal: 64,
        session_idle_seconds: 3600,
        sensitivity_floor_seconds: 2_592_000,
        drift_check_seconds: 300,
        upstream_connect_timeout_ms: 10_000,
        upstream_idle_timeout_ms: 30_000,
        upstream_call_timeout_ms: 120_000,
        claims: "session",
        principals: [{ id: "default", workflows: ["default"] }],
        identity: { scopes_supported: [], jwt: [] },
        operator_keys: [],
        allowed_origins: [],
      },
    });
    assert.deepEqual(host, {
      policy_bundle_path: "policies/",
      catalog_path: "catalog.json",
      catalog_reload_interval_seconds: 0,
      audit_db_path: "audit.db",
      audit_archive_path: null,
      log_key_path: "log.key",
      former_witnesses: null,
      witness_urls: {},
      token_file: null,
      credentials_file: null,
      listen: { host: "127.0.0.1", port: 8443 },
      egress_allow: null,
      launcher: { launcher: "process" },
    });
  });

  void it("stand beside what is written", () => {
    const { config, host } = parse(
      "max_response_size_bytes: 10\nenclave: {max_sessions: 3, egress_allow: ['tools.example:443', " +
        "'[::1]:9']}\ncatalog_path: c/d.json\n",
    );
    assert.equal(config.max_response_size_bytes, 10);
    const attestation = parse(
      `attestation: {provider: sev-snp, staleness_policy: warn_only, expected_measurement: 'sha384:${"b".repeat(96)}'}`,
    ).config.attestation;
    assert.deepEqual(attestation, {
      provider: "sev-snp",
      enforcement_mode: "enforcing",
      validity_seconds: 86_400,
      staleness_policy: "warn_only",
      expected_measurement: `sha384:${"b".repeat(96)}`,
    });
    assert.equal(config.enclave.max_sessions, 3);
    assert.equal(config.enclave.max_sessions_per_principal, 64);
    assert.equal(host.catalog_path, "c/d.json");
    assert.deepEqual(host.egress_allow, [
      { host: "tools.example", port: 443 },
      { host: "::1", port: 9 },
    ]);
  });

  void it("may be spelled out where they ask for nothing", () => {
    parse(
      "attestation: {provider: software-only, enforcement_mode: enforcing, allow_unmeasured_spawn: false, " +
        "staleness_policy: null}\npolicy_reload_interval_seconds: 0\nsensitivity: {vocabulary: {}}\ncatalog: {}\n",
    );
  });
});

void describe("mistakes", () => {
  void it("in a key are answered with the key and the nearest known one", () => {
    refused("catalog_pth: x", "CONFIG_INVALID", /catalog_pth: unknown key; the nearest known key is catalog_path/);
    refused(
      "attestation: {enforcment_mode: enforcing}",
      "CONFIG_INVALID",
      /attestation\.enforcment_mode: .* attestation\.enforcement_mode/,
    );
    refused("enclave: {max_session: 1}", "CONFIG_INVALID", /enclave\.max_session: .* enclave\.max_sessions/);
  });

  void it("in a value are answered with the key", () => {
    refused("max_response_size_bytes: many", "CONFIG_INVALID", /max_response_size_bytes/);
    for (const provider of ["sgx", "nitro"])
      refused(`attestation: {provider: ${provider}}`, "CONFIG_INVALID", /attestation\.provider/);
    refused("attestation: {staleness_policy: ignore}", "CONFIG_INVALID", /attestation\.staleness_policy/);
    for (const measurement of ["abc", "a".repeat(96), `sha256:${"a".repeat(96)}`, `sha384:${"A".repeat(96)}`])
      refused(
        `attestation: {expected_measurement: '${measurement}'}`,
        "CONFIG_INVALID",
        /attestation\.expected_measurement/,
      );
    refused("attestation: 5", "CONFIG_INVALID", /attestation/);
    refused("enclave: {eat_profile: 'tag:agentrust.io,2026:trace-v0.2'}", "CONFIG_INVALID", /enclave\.eat_profile/);
    refused("enclave: {claims: always}", "CONFIG_INVALID", /enclave\.claims/);
    refused(
      "enclave: {operator_keys: [AAAA]}",
      "CONFIG_INVALID",
      /enclave\.operator_keys\.0: must be base64url of 32 bytes/,
    );
    for (const bytes of [0, 31, 33, 1_215, 1_217])
      refused(
        `log: {auditors: ['${Buffer.alloc(bytes).toString("base64url")}']}`,
        "CONFIG_INVALID",
        /log\.auditors\.0: (?:must be base64url of 1216 bytes \(X-Wing\) or 32 bytes \(X25519\)|.*1622)/,
      );
    refused("enclave: {principals: []}", "CONFIG_INVALID", /enclave\.principals/);
    refused(
      "enclave: {principals: [{id: default}, {id: default}]}",
      "CONFIG_INVALID",
      /enclave\.principals: duplicate principal/,
    );
    refused(
      "enclave: {principals: [{id: default, workflows: []}]}",
      "CONFIG_INVALID",
      /enclave\.principals\.0\.workflows/,
    );
    refused("enclave: {principals: [{id: 'a b'}]}", "CONFIG_INVALID", /enclave\.principals\.0\.id/);
    refused("enclave: {principals: [{id: default, token: secret}]}", "CONFIG_INVALID", /enclave\.principals/);
    refused("enclave: {allowed_origins: ['https://a.example/']}", "CONFIG_INVALID", /enclave\.allowed_origins\.0/);
    refused("enclave: {egress_allow: ['a.example']}", "CONFIG_INVALID", /enclave\.egress_allow\.0/);
    refused("enclave: {workflows: []}", "CONFIG_INVALID", /enclave\.workflows/);
    refused("enclave: {workflow_tools: {billing: pay}}", "CONFIG_INVALID", /enclave\.workflow_tools/);
    refused("- a", "CONFIG_INVALID", /conf\.yaml/);
    refused("just text", "CONFIG_INVALID", /conf\.yaml/);
  });

  void it("leading out of the folder are refused for every path", () => {
    refused("enclave: {token_file: ../tokens}", "CONFIG_INVALID", /token_file: must not contain/);
    for (const key of ["policy_bundle_path", "catalog_path", "audit_db_path", "audit_archive_path", "log_key_path"]) {
      for (const path of ["../x", "a/../../x", "a\\..\\x", ".."])
        refused(`${key}: '${path}'`, "CONFIG_INVALID", new RegExp(`${key}: must not contain '\\.\\.'`));
    }
    assert.equal(parse("catalog_path: a..b/..c").host.catalog_path, "a..b/..c");
  });

  void it("in the environment are answered with the variable", () => {
    refused("", "CONFIG_INVALID", /CMCP_DEV_MODE/, { CMCP_DEV_MODE: "yes" });
    for (const hash of ["abc", `sha256:${"A".repeat(64)}`, "a".repeat(64)]) {
      refused("", "CONFIG_INVALID", /CMCP_POLICY_HASH/, { ...DEVELOPMENT, CMCP_POLICY_HASH: hash });
      refused("", "CONFIG_INVALID", /CMCP_CATALOG_HASH/, { ...DEVELOPMENT, CMCP_CATALOG_HASH: hash });
    }
    refused("", "CONFIG_INVALID", /CMCP_BEARER_TOKEN/, { ...DEVELOPMENT, CMCP_BEARER_TOKEN: "two words" });
  });

  void it("never show the token", () => {
    const token = "secret token";
    assert.throws(
      () => parse("", { CMCP_BEARER_TOKEN: token }),
      (thrown) =>
        thrown instanceof CmcpError &&
        !thrown.message.includes(token) &&
        !JSON.stringify(thrown.detail).includes(token),
    );
  });
});

void describe("the listening address", () => {
  const token = { CMCP_BEARER_TOKEN: "0123456789abcdef0123456789abcdef" };

  void it("is loopback by default without a token in development, else every interface", () => {
    assert.deepEqual(parse("").host.listen, { host: "127.0.0.1", port: 8443 });
    assert.deepEqual(parse("", { ...DEVELOPMENT, ...token }).host.listen, { host: "0.0.0.0", port: 8443 });
    assert.deepEqual(parse("", token).host.listen, { host: "0.0.0.0", port: 8443 });
  });

  void it("may be any with a token and only loopback without", () => {
    for (const address of [
      "0.0.0.0:1",
      "[::]:1",
      "10.0.0.1:1",
      "gateway.example:1",
      "127.0.0.1.example:1",
      "[::ffff:10.0.0.1]:1",
    ]) {
      refused(`listen_addr: '${address}'`, "LISTEN_ADDRESS_REFUSED", /listen_addr/);
      parse(`listen_addr: '${address}'`, token);
    }
    for (const address of ["localhost:0", "127.9.8.7:80", "[::1]:443"]) parse(`listen_addr: '${address}'`);
  });

  void it("outside development needs a token even on loopback", () => {
    refused("", "LISTEN_ADDRESS_REFUSED", /no token/, {});
    refused("listen_addr: 127.0.0.1:1", "CONFIG_INVALID", /CMCP_BEARER_TOKEN/, {});
  });

  void it("is refused when malformed", () => {
    for (const address of ["8443", "a:", ":1", "a:65536", "::1:80", "[::1]", "a b:1", "[zz::]:1"]) {
      assert.equal(parseHostPort(address), undefined);
      refused(`listen_addr: '${address}'`, "CONFIG_INVALID", /listen_addr/);
    }
  });

  void it("counts as loopback only where no name service is asked", () => {
    for (const host of ["localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1"])
      assert.equal(isLoopback(host), true, host);
    for (const host of ["127.0.0.256", "127.1", "localhost.", "::", "0.0.0.0", "::ffff:127.0.0.1.x", "fe80::1"])
      assert.equal(isLoopback(host), false, host);
  });
});

void describe("warnings", () => {
  void it("tell what is open", () => {
    const open = parse("").warnings.join("\n");
    for (const word of ["CMCP_DEV_MODE", "no CMCP_BEARER_TOKEN", "CMCP_POLICY_HASH", "CMCP_CATALOG_HASH"])
      assert.match(open, new RegExp(word));
    const hash = `sha256:${"0".repeat(64)}`;
    const closed = { CMCP_BEARER_TOKEN: "x".repeat(32), CMCP_POLICY_HASH: hash, CMCP_CATALOG_HASH: hash };
    assert.match(parse("", closed).warnings.join(), /provider is auto/);
    const unsigned = parse("attestation: {provider: tpm}", closed).warnings;
    assert.match(
      unsigned.join(),
      /^no enclave.provisioning_keys: the host gives .* unsigned; that is for development$/,
    );
    const keys = `attestation: {provider: tpm}\nenclave: {provisioning_keys: [${"A".repeat(43)}]}`;
    const { CMCP_BEARER_TOKEN: _, ...pins } = closed;
    assert.deepEqual(parse(keys, { CMCP_DEV_MODE: undefined, ...pins }).warnings, []);
    assert.match(parse("", { ...closed, CMCP_BEARER_TOKEN: "short" }).warnings.join(), /guessed/);
  });
});
