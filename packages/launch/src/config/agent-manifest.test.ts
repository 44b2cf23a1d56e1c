import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadedConfig } from "./load.ts";
import { parseConfig } from "./load.ts";

const KEY = "BFDYbXzTGUtkRhsfqTHwAzQpJyMVCIHzaRtPfLGCDFA";
const OTHER = "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo";
const parse = (value: object): LoadedConfig =>
  parseConfig(JSON.stringify(value), { env: { CMCP_DEV_MODE: "1" }, file: "conf.yaml" });
const manifests = (more: object = {}): object => ({
  agent_manifest: { anchors: [{ public_key: KEY }], revocation_keys: [OTHER], ...more },
});

test("anchors and revocation keys are measured, and nothing is where nothing is written", () => {
  const issuers = ["spiffe://bank.example/issuers/desk"];
  const { config } = parse(manifests({ anchors: [{ public_key: KEY, issuers }] }));
  assert.deepEqual(config.agent_manifest, { anchors: [{ public_key: KEY, issuers }], revocation_keys: [OTHER] });
  for (const nothing of [{}, { agent_manifest: null }])
    assert.ok(!Object.hasOwn(parse(nothing).config, "agent_manifest"));
});

test("keys of both kinds are needed, and each must be one", () => {
  for (const more of [
    { anchors: [] },
    { anchors: undefined },
    { anchors: [{ public_key: "short" }] },
    { anchors: [{ public_key: KEY }, { public_key: KEY }] },
    { anchors: [{ public_key: KEY, issuers: ["desk"] }] },
    { revocation_keys: [] },
    { revocation_keys: undefined },
    { revocation_keys: ["short"] },
    { more: 1 },
  ])
    assert.throws(() => parse(manifests(more)), { code: "CONFIG_INVALID", message: /agent_manifest/ });
});

test("the profile aarm starts with manifests in enforcing mode, and is refused without either", () => {
  const aarm = { conformance_profile: "aarm" };
  assert.equal(parse({ ...aarm, ...manifests() }).config.conformance_profile, "aarm");
  const refused = (value: object, message: RegExp): void =>
    assert.throws(() => parse(value), {
      code: "CONFORMANCE_PROFILE_UNSATISFIED",
      message,
      detail: { file: "conf.yaml", key: "conformance_profile" },
    });
  refused(aarm, /aarm needs agent_manifest/);
  for (const enforcement_mode of ["advisory", "silent"])
    refused({ ...aarm, ...manifests(), attestation: { enforcement_mode } }, /aarm needs .*enforcing/);
  assert.throws(() => parse({ conformance_profile: "other", ...manifests() }), { code: "CONFIG_INVALID" });
  assert.ok(!Object.hasOwn(parse({ conformance_profile: null }).config, "conformance_profile"));
});
