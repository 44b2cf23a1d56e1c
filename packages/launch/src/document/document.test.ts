import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { CmcpError, canonicalBytes, parseJson, untrusted, type JsonValue } from "@cmcp/boundary";
import {
  buildLaunchDocument,
  isBundlePath,
  launchDigest,
  MAX_BUNDLE_FILE,
  MAX_LAUNCH_DOCUMENT,
  parseConfig,
  parseLaunchDocument,
  type LaunchDocument,
} from "../index.ts";

const { config } = parseConfig("", { env: { CMCP_DEV_MODE: "1" } });
const HASH = `sha256:${"0f".repeat(32)}`;
const base: LaunchDocument = {
  v: 1,
  platform: "auto",
  development: true,
  config,
  policy_bundle: {
    "manifest.json": "{}",
    "schema.cedarschema": "",
    "a/b.cedar": "permit(principal, action, resource);",
  },
  catalog: [],
  pins: { policy_hash: HASH },
  trust_anchors: {},
};
const text = fc.string({ unit: "binary" }).map((value) => value.toWellFormed());
const json = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noDefaultInfinity: true, noNaN: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
    text,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      text.filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).value;
const anyDocument: fc.Arbitrary<LaunchDocument> = fc
  .record({
    policy_bundle: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,2}\.cedar$/), text, {
      maxKeys: 4,
      noNullPrototype: true,
    }),
    catalog: fc.array(json, { maxLength: 4 }),
    pins: fc.constantFrom<LaunchDocument["pins"]>(
      {},
      { policy_hash: HASH },
      { catalog_hash: HASH },
      { policy_hash: HASH, catalog_hash: HASH },
    ),
    trust_anchors: fc.constant({}),
  })
  .map((parts): LaunchDocument => ({ ...base, ...parts }));
const isRefused = (bytes: Uint8Array, message = /launch document/): void => {
  assert.throws(
    () => parseLaunchDocument(untrusted(bytes)),
    (thrown) =>
      thrown instanceof CmcpError && thrown.code === "LAUNCH_DOCUMENT_INVALID" && message.test(thrown.message),
  );
};
const altered = (change: object): Uint8Array => canonicalBytes({ ...base, ...change });

void describe("a launch document that names a conformance profile", () => {
  void it("is refused where its conditions are not met, whoever made it", () => {
    const named = { ...base, config: { ...config, conformance_profile: "aarm" as const } };
    assert.throws(() => buildLaunchDocument(named), { code: "CONFORMANCE_PROFILE_UNSATISFIED" });
    const key = "BFDYbXzTGUtkRhsfqTHwAzQpJyMVCIHzaRtPfLGCDFA";
    const agent_manifest = { anchors: [{ public_key: key }], revocation_keys: [key] };
    assert.doesNotThrow(() => buildLaunchDocument({ ...named, config: { ...named.config, agent_manifest } }));
  });
});

void describe("the launch document", () => {
  void it("is canonical and reads back as it was", () => {
    fc.assert(
      fc.property(anyDocument, (document) => {
        const bytes = buildLaunchDocument(document);
        assert.deepEqual(bytes, canonicalBytes(parseJson(untrusted(bytes))));
        assert.deepEqual(parseLaunchDocument(untrusted(bytes)), document);
      }),
    );
  });

  void it("has another digest with any one byte changed", () => {
    const bytes = buildLaunchDocument(base);
    const digest = launchDigest(bytes);
    fc.assert(
      fc.property(fc.nat(bytes.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ difference;
        assert.notEqual(launchDigest(changed), digest);
        assert.notEqual(launchDigest(changed, "sha384"), launchDigest(bytes, "sha384"));
      }),
    );
  });

  void it("has digests of 32 and 48 bytes over the exact bytes", () => {
    const bytes = buildLaunchDocument(base);
    assert.equal(launchDigest(bytes), createHash("sha256").update(bytes).digest("hex"));
    assert.equal(launchDigest(bytes, "sha384"), createHash("sha384").update(bytes).digest("hex"));
    assert.equal(launchDigest(bytes, "sha384").length, 96);
  });

  void it("is a typed refusal for any other bytes", () => {
    const good = buildLaunchDocument(base);
    const mutated = fc
      .array(fc.tuple(fc.nat(good.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((edits) => {
        const bytes = Uint8Array.from(good);
        for (const [at, byte] of edits) bytes[at] = byte;
        return bytes;
      });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          mutated,
          json.map((value) => new TextEncoder().encode(JSON.stringify(value))),
        ),
        (bytes) => {
          try {
            const document = parseLaunchDocument(untrusted(bytes));
            assert.deepEqual(canonicalBytes(document), Uint8Array.from(bytes));
          } catch (thrown) {
            assert.ok(thrown instanceof CmcpError && thrown.code === "LAUNCH_DOCUMENT_INVALID", String(thrown));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  void it("is refused in any other spelling of the same value", () => {
    const canonical = new TextDecoder().decode(buildLaunchDocument(base));
    const reordered = JSON.stringify({ v: 1, ...(JSON.parse(canonical) as object) });
    for (const spelling of [
      ` ${canonical}`,
      `${canonical}\n`,
      reordered,
      canonical.replace('"v":1', '"v":1.0'),
      canonical.replace("permit", "\\u0070ermit"),
      canonical.replace('"v":1', '"v":1,"v":1'),
    ]) {
      assert.notEqual(spelling, canonical);
      isRefused(new TextEncoder().encode(spelling));
    }
  });

  void it("is refused with a surplus, missing or wrong member, which is named", () => {
    isRefused(altered({ extra: 1 }), /unknown key/);
    isRefused(altered({ v: 2 }), /: v: /);
    isRefused(altered({ platform: "opaque" }), /platform/);
    isRefused(altered({ platform: "sev-snp" }), /platform: is not the one of the configuration/);
    isRefused(altered({ config: { ...config, listen_addr: "0.0.0.0:1" } }), /config/);
    isRefused(
      altered({ config: { ...config, enclave: { ...config.enclave, max_sessions: 0 } } }),
      /config\.enclave\.max_sessions/,
    );
    isRefused(
      altered({ config: { ...config, attestation: { ...config.attestation, enforcement_mode: "off" } } }),
      /enforcement_mode/,
    );
    isRefused(altered({ catalog: "x" }), /catalog/);
    isRefused(altered({ pins: { policy_hash: "sha256:00" } }), /pins\.policy_hash/);
    isRefused(altered({ trust_anchors: { upstream_ca: [] } }), /trust_anchors/);
    const { catalog: _, ...without } = base;
    isRefused(canonicalBytes(without), /catalog/);
  });

  void it("is refused when a subject of JWTs stands for no measured principal", () => {
    const key = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "k" };
    const documentFor = (principal: string): Uint8Array => {
      const issuer = {
        issuer: "https://login.example/",
        audience: ["here"],
        jwks: { keys: [key] },
        algorithms: ["EdDSA"],
        subjects: [{ subject: "x", principal }],
      };
      return altered({
        config: {
          ...config,
          enclave: { ...config.enclave, identity: { resource: "https://gw.example/mcp", jwt: [issuer] } },
        },
      });
    };
    parseLaunchDocument(untrusted(documentFor("default")));
    assert.throws(() => parseLaunchDocument(untrusted(documentFor("nobody"))), {
      code: "CONFIG_INVALID",
      message: /names the principal nobody/,
    });
    isRefused(
      altered({ config: { ...config, enclave: { ...config.enclave, identity: { jwts: [] } } } }),
      /config\.enclave\.identity\.jwts: unknown key/,
    );
  });

  void it("is for the platform that its configuration names", () => {
    const on = (provider: LaunchDocument["platform"], development: boolean): LaunchDocument => ({
      ...base,
      platform: provider,
      development,
      config: { ...config, attestation: { ...config.attestation, provider } },
    });
    for (const provider of ["auto", "sev-snp", "tdx", "azure-cvm", "tpm", "software-only"] as const) {
      for (const development of [true, false]) buildLaunchDocument(on(provider, development));
      const other = provider === "tpm" ? "tdx" : "tpm";
      isRefused(canonicalBytes({ ...on(provider, false), platform: other }), /platform: is not the one of/);
    }
  });

  void it("holds only paths that can be in a bundle", () => {
    for (const path of ["manifest.json", "schema.cedarschema", "a.cedar", "a b/c.d/é.cedar"])
      assert.equal(isBundlePath(path), true, path);
    for (const path of [
      "",
      "/a.cedar",
      "../a.cedar",
      "a/../b.cedar",
      "a/./b.cedar",
      "a//b.cedar",
      "a\\b.cedar",
      "a\n.cedar",
      "x/manifest.json",
      "notes.txt",
      "__proto__",
      `${"a".repeat(600)}.cedar`,
    ]) {
      assert.equal(isBundlePath(path), false, path);
      if (path !== "__proto__") isRefused(altered({ policy_bundle: { [path]: "" } }), /policy_bundle/);
    }
  });

  void it("is bounded in files, file size and bytes", () => {
    isRefused(
      altered({
        policy_bundle: Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`f${index}.cedar`, ""])),
      }),
      /policy_bundle/,
    );
    isRefused(altered({ policy_bundle: { "a.cedar": "x".repeat(MAX_BUNDLE_FILE + 1) } }), /policy_bundle/);
    isRefused(new Uint8Array(MAX_LAUNCH_DOCUMENT + 1).fill(0x20), /limit/);
    const full = Object.fromEntries(
      Array.from({ length: 17 }, (_, index) => [`f${index}.cedar`, "x".repeat(MAX_BUNDLE_FILE)]),
    );
    assert.throws(() => buildLaunchDocument({ ...base, policy_bundle: full }), { code: "LAUNCH_DOCUMENT_INVALID" });
  });
});
