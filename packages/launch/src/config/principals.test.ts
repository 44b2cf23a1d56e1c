import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newPasskey } from "../../../approval/src/testing/statements.ts";
import { noticeReceiver } from "./approvals.ts";
import { DEVELOPMENT, IDENTITY, KEY, parse, refused } from "./testing/configuration.ts";

const { passkey: PASSKEY } = newPasskey("ES256");

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
    const scoped = issuer.replace("subjects:", "scope_workflows: {read: [x]}, subjects:");
    assert.deepEqual(
      warned(
        "enclave: {principals: [{id: default, workflows: [x, y]}, {id: billing, workflows: [billing]}], " +
          `identity: {resource: "https://gw.example/mcp", jwt: [${scoped}]}}`,
      ),
      ['enclave.identity.jwt: the subject "c" lists other, which billing may not use'],
      "scopes say which of them",
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

void describe("approvers", () => {
  const ALICE = `{id: alice, ed25519: ${KEY.x}}`;

  void it("are measured where there are any, and change no launch digest otherwise", () => {
    const { enclave } = parse(`enclave: {approvers: [${ALICE}], approval_url: "https://gw.example/approve/"}`).config;
    assert.deepEqual(enclave.approvers, [{ id: "alice", ed25519: KEY.x }]);
    assert.deepEqual([enclave.approval_seconds, enclave.approval_url], [900, "https://gw.example/approve/"]);
    const passkey = JSON.stringify({ id: "bob", passkey: PASSKEY });
    assert.deepEqual(parse(`enclave: {approvers: [${ALICE}, ${passkey}]}`).config.enclave.approvers, [
      { id: "alice", ed25519: KEY.x },
      { id: "bob", passkey: PASSKEY },
    ]);
    const none = parse("enclave: {approvers: [], approval_seconds: 60}").config.enclave;
    assert.deepEqual(["approvers" in none, "approval_seconds" in none], [false, false]);
  });

  void it("have a receiver of notices whose key is measured, or one of this machine in development", () => {
    const key = Buffer.alloc(32, 255);
    const [padded, bare] = [key.toString("base64"), key.toString("base64").replace("=", "")].map(
      (text) => `SHA256:${text}`,
    );
    const webhook = (fields: object): string =>
      `enclave: {approvers: [${ALICE}], approval_webhook: ${JSON.stringify(fields)}}`;
    for (const fingerprint of [padded, bare]) {
      const written = { url: "https://hook.example/a?b=1", tls_fingerprint: fingerprint };
      const { approval_webhook: measured } = parse(webhook(written)).config.enclave;
      assert.deepEqual(measured, written);
      assert.deepEqual(noticeReceiver(measured, false), { url: new URL(written.url), pin: new Uint8Array(key) });
    }
    const { approval_webhook: local } = parse(webhook({ url: "http://127.0.0.1:1/" })).config.enclave;
    assert.deepEqual(noticeReceiver(local, true), { url: new URL("http://127.0.0.1:1/"), pin: null });
    assert.throws(() => noticeReceiver(local, false), { code: "CONFIG_INVALID" });
    assert.equal(noticeReceiver(undefined, false), null);
    for (const fields of [
      { url: "https://hook.example/" },
      { url: "http://127.0.0.1:1/", tls_fingerprint: padded },
      { url: "http://hook.example/" },
      { url: "http://127.0.0.1.example/" },
      { url: "https://user@hook.example/", tls_fingerprint: padded },
      { url: "https://hook.example/#a", tls_fingerprint: padded },
      { url: "https://hook.example/", tls_fingerprint: "SHA256:short" },
      { url: "https://hook.example/", tls_fingerprint: `SHA256:${"_".repeat(43)}` },
      { url: "https://hook.example/", tls_fingerprint: `SHA256:${"/".repeat(43)}` },
    ])
      refused(webhook(fields), "CONFIG_INVALID", /enclave\.approval_webhook/);
  });

  void it("have distinct names and keys, and a URL that an id can end", () => {
    for (const [text, message] of [
      [`approvers: [${ALICE}, ${ALICE}]`, /duplicate approver/],
      [`approvers: [${ALICE}, {id: bob, ed25519: ${KEY.x}}]`, /two approvers have one key/],
      [`approvers: [{id: "Al,ice", ed25519: ${KEY.x}}]`, /enclave\.approvers/],
      ["approvers: [{id: alice, ed25519: short}]", /enclave\.approvers/],
      [
        `approvers: ${JSON.stringify(["bob", "carol"].map((id) => ({ id, passkey: PASSKEY })))}`,
        /two approvers have one key/,
      ],
      ...[{ public_key: KEY.x }, { origins: [] }, { origins: ["ftp://localhost"] }, { rp_id: "" }].map(
        (change) =>
          [
            `approvers: [${JSON.stringify({ id: "bob", passkey: { ...PASSKEY, ...change } })}]`,
            /enclave\.approvers/,
          ] as const,
      ),
      ["approval_seconds: 29", /enclave\.approval_seconds/],
      ["approval_seconds: 86401", /enclave\.approval_seconds/],
      ...["https://gw.example", "http://gw.example/", "https://gw.example/?id=/", "ftp://gw.example/"].map(
        (url) => [`approval_url: "${url}"`, /enclave\.approval_url/] as const,
      ),
    ] as const)
      refused(`enclave: {${text}}`, "CONFIG_INVALID", message);
  });
});

void describe("provisioning keys", () => {
  const KEYS = `provisioning_keys: [${KEY.x}]`;

  void it("are measured where there are any, and change no launch digest otherwise", () => {
    assert.deepEqual(parse(`enclave: {${KEYS}}`).config.enclave.provisioning_keys, [KEY.x]);
    assert.equal("provisioning_keys" in parse("enclave: {provisioning_keys: []}").config.enclave, false);
    refused("enclave: {provisioning_keys: [short]}", "CONFIG_INVALID", /enclave\.provisioning_keys\.0/);
  });

  void it("leave the host no tokens and credentials to give, and need none to listen", () => {
    for (const [text, env, key] of [
      [`enclave: {${KEYS}, token_file: tokens}`, {}, "enclave.token_file"],
      [`enclave: {${KEYS}, credentials_file: secrets}`, {}, "enclave.credentials_file"],
      [`enclave: {${KEYS}}`, { CMCP_BEARER_TOKEN: "x".repeat(40) }, "CMCP_BEARER_TOKEN"],
    ] as const)
      refused(text, "CONFIG_INVALID", new RegExp(`${key}: remove it, as enclave\\.provisioning_keys`), env);
    assert.deepEqual(parse(`enclave: {${KEYS}}`, {}).host.listen, { host: "0.0.0.0", port: 8443 });
    assert.equal(parse(`enclave: {${KEYS}, principals: [{id: billing}]}`).config.enclave.principals.length, 1);
  });
});
