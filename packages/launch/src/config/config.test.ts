import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { CmcpError } from "@cmcp/boundary";
import {
  EAT_PROFILE_V02,
  isLoopback,
  MAX_CONFIG_LENGTH,
  parseConfig,
  parseHostPort,
  type Environment,
} from "../index.ts";

const DEVELOPMENT: Environment = { CMCP_DEV_MODE: "1" };
const parse = (text: string, env: Environment = DEVELOPMENT): ReturnType<typeof parseConfig> =>
  parseConfig(text, { env, file: "conf.yaml" });
/** The public key of RFC 8037 appendix A.2. */
const KEY = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "k" };
const IDENTITY = {
  resource: "https://gw.example/mcp",
  jwt: [
    {
      issuer: "https://login.example/",
      audience: ["https://gw.example/mcp"],
      jwks: { keys: [KEY] },
      algorithms: ["EdDSA"],
      subjects: [{ subject: "x", principal: "billing" }],
    },
  ],
};
const refused = (text: string, code: string, message: RegExp, env: Environment = DEVELOPMENT): void => {
  assert.throws(
    () => parse(text, env),
    (thrown) => thrown instanceof CmcpError && thrown.code === code && message.test(thrown.message),
    `${JSON.stringify(text)} should be ${code} ${String(message)}`,
  );
};

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
    assert.deepEqual(parse("attestation: {provider: tpm}", closed).warnings, []);
    assert.match(parse("", { ...closed, CMCP_BEARER_TOKEN: "short" }).warnings.join(), /guessed/);
  });
});

void describe("the YAML", () => {
  void it("is refused with aliases, anchors, tags, duplicate keys, merges and more than one document", () => {
    for (const text of [
      "a: &x [1]\nb: *x",
      "catalog_path: &x c.json",
      "catalog_path: !!str c.json",
      "catalog_path: !custom c.json",
      "catalog_path: a\ncatalog_path: b",
      "enclave: {max_sessions: 1, max_sessions: 2}",
      "<<: {catalog_path: a}",
      "catalog_path: a\n---\ncatalog_path: b",
      "__proto__: {catalog_path: a}",
      "enclave: {__proto__: {max_sessions: 1}}",
      "? [a]\n: b",
      "catalog_path: [",
      "%YAML 9.9\n---\na: b",
    ]) {
      refused(text, "CONFIG_INVALID", /conf\.yaml/);
    }
  });

  void it("names the line", () => refused("catalog_path: a\nlisten_addr: &x b\n", "CONFIG_INVALID", /line 2/));

  void it("is bounded in size and depth", () => {
    refused(`catalog_path: ${"a".repeat(MAX_CONFIG_LENGTH)}`, "CONFIG_INVALID", /larger than/);
    refused(`catalog_path: ${"[".repeat(20)}${"]".repeat(20)}`, "CONFIG_INVALID", /nested too deeply/);
    for (const nested of [
      `${"[".repeat(2000)}${"]".repeat(2000)}`,
      `${"- ".repeat(2000)}a`,
      `${"{a: ".repeat(2000)}1${"}".repeat(2000)}`,
    ])
      refused(`catalog_path:\n ${nested}`, "CONFIG_INVALID", /conf\.yaml/);
  });

  void it("of any other text is a configuration or a typed refusal", () => {
    const fragment = fc.constantFrom(
      "attestation:",
      "enclave:",
      " ",
      "\n",
      "{",
      "}",
      "[",
      "]",
      "a",
      ":",
      "- ",
      "&a",
      "*a",
      "!t",
      "catalog_path: ",
      "'",
      '"',
      "|",
      ">",
      "#",
      "0",
      "null",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fragment, { maxLength: 30 }).map((parts) => parts.join("")),
        ),
        (text) => {
          try {
            parse(text);
          } catch (thrown) {
            assert.ok(thrown instanceof CmcpError && thrown.message.includes("conf.yaml"));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

void describe("principals", () => {
  void it("may be told apart by the tools of their workflows, which are measured", () => {
    assert.equal("workflow_tools" in parse("enclave: {}").config.enclave, false);
    assert.deepEqual(parse("enclave: {workflow_tools: {billing: [pay], default: []}}").config.enclave.workflow_tools, {
      billing: ["pay"],
      default: [],
    });
  });

  void it("have their own workflows or those of everybody", () => {
    const { config } = parse(
      "enclave: {workflows: [default, claims], principals: [{id: default}, {id: billing, workflows: [billing]}]}",
    );
    assert.deepEqual(config.enclave.principals, [
      { id: "default", workflows: ["default", "claims"] },
      { id: "billing", workflows: ["billing"] },
    ]);
  });

  void it("are named in a warning where they, or a subject, may use several workflows and list none", () => {
    const warned = (text: string): string[] => parse(text).warnings.filter((warning) => warning.includes("list"));
    const several = "workflows: [default, claims]";
    assert.deepEqual(
      warned(`enclave: {${several}, principals: [{id: default}, {id: billing, workflows: [billing]}]}`),
      ["enclave.principals: default lists no workflows, so it may use all 2 of enclave.workflows"],
    );
    assert.deepEqual(warned("enclave: {principals: [{id: default}, {id: billing}]}"), []);
    const jwk = '{kty: OKP, crv: Ed25519, kid: k, x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}';
    const subjects =
      "[{subject: a, principal: default}, {subject: b, principal: billing}, {subject: c, principal: billing, workflows: [other, billing]}]";
    const issuer = `{issuer: i, audience: [a], jwks: {keys: [${jwk}]}, algorithms: [EdDSA], subjects: ${subjects}}`;
    assert.deepEqual(
      warned(
        "enclave: {principals: [{id: default, workflows: [x, y]}, {id: billing, workflows: [billing]}], " +
          `identity: {resource: "https://gw.example/mcp", jwt: [${issuer}]}}`,
      ),
      [
        'enclave.identity.jwt: the subject "a" lists no workflows, so it may use all 2 of default',
        'enclave.identity.jwt: the subject "c" lists other, which billing may not use',
      ],
    );
  });

  void it("must include the one that a token of the environment, or no token at all, stands for", () => {
    const text = "enclave: {principals: [{id: billing}], token_file: tokens}";
    parse(text);
    refused(text, "CONFIG_INVALID", /enclave\.principals: must list default/, {
      ...DEVELOPMENT,
      CMCP_BEARER_TOKEN: "x".repeat(40),
    });
    refused("enclave: {principals: [{id: billing}]}", "CONFIG_INVALID", /enclave\.principals: must list default/);
  });

  void it("with tokens in a file may be reached from other machines, and need no token in the environment", () => {
    assert.deepEqual(parse("enclave: {token_file: tokens}").host.listen, { host: "0.0.0.0", port: 8443 });
    assert.equal(parse("enclave: {token_file: tokens}").host.token_file, "tokens");
    parse("enclave: {token_file: tokens}", {});
  });

  void it("with JWTs need no token, may be reached from other machines, and are carried with every default", () => {
    const { config, host, warnings } = parse(
      `enclave: ${JSON.stringify({ identity: IDENTITY, principals: [{ id: "billing" }] })}`,
      {},
    );
    const [issuer] = IDENTITY.jwt;
    assert.deepEqual(config.enclave.identity, {
      ...IDENTITY,
      scopes_supported: [],
      jwt: [{ ...issuer, types: ["at+jwt"], clock_skew_seconds: 60, max_lifetime_seconds: 86_400, claims: {} }],
    });
    assert.deepEqual(host.listen, { host: "0.0.0.0", port: 8443 });
    assert.equal(
      warnings.some((warning) => warning.includes("every process")),
      false,
    );
    for (const none of ["{}", "{jwt: []}", "null"])
      refused(`enclave: {identity: ${none}}`, "LISTEN_ADDRESS_REFUSED", /no token/, {});
    refused("enclave: {identity: [a]}", "CONFIG_INVALID", /enclave\.identity/);
  });

  void it("of JWTs are held to the keys and principals there are, each fault named by its path", () => {
    const wrong = (change: object, message: RegExp): void => {
      const jwt = [{ ...IDENTITY.jwt[0], ...change }];
      refused(
        `enclave: ${JSON.stringify({ identity: { ...IDENTITY, jwt }, principals: [{ id: "billing" }] })}`,
        "CONFIG_INVALID",
        message,
        {},
      );
    };
    refused(
      "enclave: {identity: {jwts: []}}",
      "CONFIG_INVALID",
      /enclave\.identity\.jwts: unknown key; the nearest known key is enclave\.identity\.jwt$/,
    );
    wrong(
      { audience: undefined, audiance: ["x"] },
      /enclave\.identity\.jwt\.0\.audiance: unknown key; the nearest known key is enclave\.identity\.jwt\.0\.audience$/,
    );
    wrong(
      { claims: { unit: { clam: "unit" } } },
      /claims\.unit\.clam: unknown key; the nearest known key is enclave\.identity\.jwt\.0\.claims\.unit\.claim$/,
    );
    wrong(
      { claims: { unit: { claim: "unit", kind: "text", knd: "text" } } },
      /claims\.unit\.knd: .* enclave\.identity\.jwt\.0\.claims\.unit\.kind$/,
    );
    wrong(
      { jwks: { keys: [{ ...KEY, y2: "" }] } },
      /jwks\.keys\.0\.y2: .* enclave\.identity\.jwt\.0\.jwks\.keys\.0\.y$/,
    );
    wrong({ jwks: { keys: [{ ...KEY, d: "private" }] } }, /jwks\.keys\.0\.d: unknown key/);
    wrong({ algorithms: ["HS256"] }, /enclave\.identity\.jwt\.0\.algorithms/);
    wrong({ "claims\n": {} }, /enclave\.identity\.jwt\.0\.claims\?: unknown key/);
    wrong(
      { subjects: [{ subject: "x", principal: "nobody" }] },
      /conf\.yaml: enclave\.identity\.jwt: .* names the principal nobody/,
    );
  });

  void it("that can use up all sessions together are warned of", () => {
    const warned = (text: string): boolean =>
      parse(text).warnings.some((warning) => warning.includes("enclave.max_sessions"));
    assert.equal(
      warned("enclave: {max_sessions: 3, max_sessions_per_principal: 2, principals: [{id: default}, {id: b}]}"),
      true,
    );
    assert.equal(
      warned("enclave: {max_sessions: 4, max_sessions_per_principal: 2, principals: [{id: default}, {id: b}]}"),
      false,
    );
  });
});
