import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { z } from "zod";
import { amdCertificates } from "./certificates.ts";
import { sevSnpPolicySchema, STRICT_SEV_SNP_POLICY } from "./policy.ts";
import { AMD_ROOT_KEYS } from "./trust-anchors.ts";

test("what is left out of a policy has the strict value", () => {
  const { guest_policy, platform, tcb, chips, host_data } = STRICT_SEV_SNP_POLICY;
  assert.deepEqual(
    [
      guest_policy.debug,
      guest_policy.migration_agent,
      guest_policy.cxl,
      guest_policy.unknown_bits,
      platform.alias_check,
      platform.unknown_bits,
    ],
    ["forbidden", "forbidden", "forbidden", "forbidden", "required", "forbidden"],
  );
  assert.deepEqual(
    [
      tcb.provisional_firmware,
      chips.masked,
      host_data.unexpected,
      STRICT_SEV_SNP_POLICY.reserved_fields,
      STRICT_SEV_SNP_POLICY.stale_lists,
    ],
    ["forbidden", "forbidden", "forbidden", "forbidden", "fail"],
  );
  assert.deepEqual(
    [
      STRICT_SEV_SNP_POLICY.vmpl,
      STRICT_SEV_SNP_POLICY.endorsement_keys,
      STRICT_SEV_SNP_POLICY.vlek_providers,
      STRICT_SEV_SNP_POLICY.min_report_version,
      STRICT_SEV_SNP_POLICY.authenticity_only,
    ],
    [[0], ["VCEK"], [], 3, false],
  );
  assert.deepEqual(
    STRICT_SEV_SNP_POLICY.trust_anchors,
    AMD_ROOT_KEYS.map(({ product, sha256 }) => ({ product, certificate_sha256: sha256 })),
  );
  assert.deepEqual(sevSnpPolicySchema.parse({ guest_policy: { smt: "forbidden" } }), {
    ...STRICT_SEV_SNP_POLICY,
    guest_policy: { ...guest_policy, smt: "forbidden" },
  });
});

test("a policy with a key or value nobody knows is refused", () => {
  const refused: readonly unknown[] = [
    { debug: true },
    { guest_policy: { debug: "required" } },
    { guest_policy: { extra: "any" } },
    { platform: { smt: true } },
    { products: [] },
    { products: ["Rome"] },
    { vmpl: [4] },
    { tcb: { min_firmware: { major: 256, minor: 0, build: 0 } } },
    { vmpl: [] },
    { measurements: ["00"] },
    { measurements: ["AB".repeat(48)] },
    { trust_anchors: [] },
    { tcb: { floors: { Milan: { snp: 24 } } } },
    { tcb: { floors: { Genoa: { fmc: 0, bootloader: 0, tee: 0, snp: 0, microcode: 0 } } } },
    { tcb: { floors: { Turin: { bootloader: 0, tee: 0, snp: 0, microcode: 0 } } } },
    { tcb: { launch_mitigations: "1" } },
    { chips: { deny: ["00".repeat(32)] } },
    { min_report_version: 1 },
  ];
  for (const policy of refused)
    assert.equal(sevSnpPolicySchema.safeParse(policy).success, false, JSON.stringify(policy));
});

test("every key says what it is", () => {
  const undescribed: string[] = [];
  const walk = (schema: unknown, path: string): void => {
    if (typeof schema !== "object" || schema === null || !("properties" in schema)) return;
    for (const [key, value] of Object.entries(
      schema.properties as Record<string, { description?: string; properties?: unknown }>,
    )) {
      const leafOfVersion = /\.(floors|min_abi|min_firmware)\./.test(`${path}.${key}`) || path === ".trust_anchors";
      if (value.description === undefined && !leafOfVersion) undescribed.push(`${path}.${key}`);
      walk(value, `${path}.${key}`);
    }
  };
  walk(z.toJSONSchema(sevSnpPolicySchema), "");
  assert.deepEqual(undescribed, []);
});

test("the certificates shipped are AMD's: the pinned roots and what they signed", () => {
  const certificates = amdCertificates();
  assert.deepEqual(
    certificates.map(({ commonName }) => commonName),
    ["Milan", "Genoa", "Turin"].flatMap((product) => [`ARK-${product}`, `SEV-${product}`, `SEV-VLEK-${product}`]),
  );
  const hashes = certificates
    .filter(({ commonName }) => commonName?.startsWith("ARK-"))
    .map(({ raw }) => createHash("sha256").update(raw).digest("hex"));
  assert.deepEqual(
    hashes,
    AMD_ROOT_KEYS.map(({ sha256 }) => sha256),
  );
});
