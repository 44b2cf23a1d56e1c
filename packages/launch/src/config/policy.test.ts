import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { CmcpError, untrusted, type ErrorCode } from "@cmcp/boundary";
import {
  buildLaunchDocument,
  parseConfig,
  parseLaunchDocument,
  type Environment,
  type LaunchDocument,
  type LoadedConfig,
} from "../index.ts";

const DEVELOPMENT: Environment = { CMCP_DEV_MODE: "1" };
const HASH = `sha256:${"0f".repeat(32)}`;
const { publicKey } = generateKeyPairSync("ed25519");
const KEY = publicKey.export({ format: "jwk" }).x ?? "";
const SIGNED: Environment = { ...DEVELOPMENT, CMCP_POLICY_SIGNING_KEY: KEY };

const parse = (text: string, env: Environment = DEVELOPMENT): LoadedConfig =>
  parseConfig(text, { env, file: "conf.yaml" });
const refused = (text: string, code: ErrorCode, says: RegExp, env: Environment = DEVELOPMENT): void => {
  assert.throws(
    () => parse(text, env),
    (thrown) => thrown instanceof CmcpError && thrown.code === code && says.test(thrown.message),
    text,
  );
};

describe("the enforcement mode", () => {
  for (const mode of ["enforcing", "advisory", "silent"] as const) {
    it(`${mode} is measured`, () =>
      assert.equal(parse(`attestation: {enforcement_mode: ${mode}}`).config.attestation.enforcement_mode, mode));
  }
  it("is no other word", () =>
    refused("attestation: {enforcement_mode: enforce}", "CONFIG_INVALID", /attestation\.enforcement_mode/));
});

describe("the policy signing key", () => {
  it("may be written as base64url, hex or PEM", () => {
    const hex = Buffer.from(KEY, "base64url").toString("hex");
    for (const text of [
      KEY,
      `${KEY}=`,
      hex,
      hex.toUpperCase(),
      publicKey.export({ format: "pem", type: "spki" }).toString(),
    ]) {
      assert.equal(parse("", { ...DEVELOPMENT, CMCP_POLICY_SIGNING_KEY: text }).environment.policySigningKey, KEY);
    }
    assert.equal(parse("").environment.policySigningKey, null);
  });
  it("is refused as anything else, without being shown", () => {
    const { publicKey: other, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    for (const text of [
      "secret-word",
      KEY.slice(1),
      `${KEY}A`,
      "0".repeat(63),
      other.export({ format: "pem", type: "spki" }).toString(),
      privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
      "-----BEGIN PUBLIC KEY-----",
    ]) {
      refused("", "CONFIG_INVALID", /^environment: CMCP_POLICY_SIGNING_KEY: must be an Ed25519 public key/, {
        ...DEVELOPMENT,
        CMCP_POLICY_SIGNING_KEY: text,
      });
    }
  });
});

describe("reloading the policy", () => {
  const RELOAD = "policy_reload_interval_seconds: 5";
  it("needs a signing key", () => {
    refused(RELOAD, "CONFIG_INVALID", /conf\.yaml: policy_reload_interval_seconds: needs CMCP_POLICY_SIGNING_KEY/);
    assert.equal(parse(RELOAD, SIGNED).config.policy_reload_interval_seconds, 5);
  });
  it("with a pinned hash and no key could never load anything and is refused", () => {
    refused(RELOAD, "POLICY_RELOAD_PINNED_HASH", /conf\.yaml: policy_reload_interval_seconds/, {
      ...DEVELOPMENT,
      CMCP_POLICY_HASH: HASH,
    });
    parse("", { ...DEVELOPMENT, CMCP_POLICY_HASH: HASH });
  });
  it("with a pinned hash and a key is possible: the hash pins the first bundle", () => {
    parse(RELOAD, { ...SIGNED, CMCP_POLICY_HASH: HASH });
  });
  it("is bounded", () =>
    refused("policy_reload_interval_seconds: 86401", "CONFIG_INVALID", /policy_reload_interval_seconds/, SIGNED));

  const documentOf = (parts: Partial<LaunchDocument>): LaunchDocument => ({
    v: 1,
    platform: "auto",
    development: true,
    config: { ...parse("").config, policy_reload_interval_seconds: 5 },
    policy_bundle: {},
    catalog: [],
    pins: {},
    trust_anchors: {},
    ...parts,
  });
  const read = (parts: Partial<LaunchDocument>): LaunchDocument =>
    parseLaunchDocument(untrusted(buildLaunchDocument(documentOf(parts))));
  it("is held to the same rules by whoever reads the launch document", () => {
    assert.throws(() => read({}), { code: "CONFIG_INVALID" });
    assert.throws(() => read({ pins: { policy_hash: HASH } }), { code: "POLICY_RELOAD_PINNED_HASH" });
    assert.equal(
      read({ pins: { policy_hash: HASH }, trust_anchors: { policy_signing_key: KEY } }).trust_anchors
        .policy_signing_key,
      KEY,
    );
    assert.throws(() => read({ trust_anchors: { policy_signing_key: "AAAA" } }), { code: "LAUNCH_DOCUMENT_INVALID" });
  });
});

describe("the sensitivity vocabulary", () => {
  it("is measured with its ranks", () => {
    assert.deepEqual(
      parse("sensitivity: {vocabulary: {board_minutes: 4, internal-memo: 1}}").config.sensitivity.vocabulary,
      { board_minutes: 4, "internal-memo": 1 },
    );
    assert.deepEqual(parse("").config.sensitivity.vocabulary, {});
  });
  it("holds labels and ranks within bounds only", () => {
    for (const text of ["{Board: 4}", "{'a b': 1}", "{a: -1}", "{a: 1.5}", "{a: 1001}", "{a: high}", "[a]"])
      refused(`sensitivity: {vocabulary: ${text}}`, "CONFIG_INVALID", /sensitivity\.vocabulary/);
    refused(
      `sensitivity: {vocabulary: {${Array.from({ length: 257 }, (_, index) => `l${index}: 1`).join(", ")}}}`,
      "CONFIG_INVALID",
      /at most 256/,
    );
  });
});
