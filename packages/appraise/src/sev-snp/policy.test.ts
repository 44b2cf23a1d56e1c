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

test("lists and numbers end where they can still mean something", () => {
  const accepts = (policy: object): boolean => sevSnpPolicySchema.safeParse(policy).success;
  const repeated = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
  const hex = (bytes: number): string => "0a".repeat(bytes);
  const anchor = { product: "Milan", certificate_sha256: hex(32) };
  const version = (part: number) => ({ major: part, minor: part, build: part });
  const tcb = (part: number) => ({ bootloader: part, tee: part, snp: part, microcode: part });
  for (const [least, most, written] of [
    [0, 1024, (count: number) => ({ measurements: repeated(count, hex(48)) })],
    [0, 1024, (count: number) => ({ chips: { deny: repeated(count, hex(8)) } })],
    [1, 3, (count: number) => ({ products: repeated(count, "Milan") })],
    [1, 16, (count: number) => ({ trust_anchors: repeated(count, anchor) })],
    [1, 2, (count: number) => ({ endorsement_keys: repeated(count, "VCEK") })],
    [0, 64, (count: number) => ({ vlek_providers: repeated(count, "CN=a") })],
    [1, 128, (length: number) => ({ vlek_providers: ["a".repeat(length)] })],
    [2, 5, (version: number) => ({ min_report_version: version })],
    [0, 3, (level: number) => ({ vmpl: [level] })],
    [1, 4, (count: number) => ({ vmpl: repeated(count, 0) })],
    [0, 255, (part: number) => ({ tcb: { min_firmware: version(part) } })],
    [0, 255, (part: number) => ({ tcb: { floors: { Milan: tcb(part) } } })],
    [0, 255, (part: number) => ({ tcb: { floors: { Turin: { fmc: part, ...tcb(0) } } } })],
    [0, 255, (part: number) => ({ guest_policy: { min_abi: { major: part, minor: 0 } } })],
    [0, 0xffff_ffff, (svn: number) => ({ id_block: { min_guest_svn: svn } })],
    [8, 8, (bytes: number) => ({ chips: { allow: [hex(bytes)] } })],
    [64, 64, (bytes: number) => ({ chips: { allow: [hex(bytes)] } })],
    [48, 48, (bytes: number) => ({ id_block: { id_key_digests: [hex(bytes)] } })],
    [48, 48, (bytes: number) => ({ id_block: { author_key_digests: [hex(bytes)] } })],
    [16, 16, (bytes: number) => ({ id_block: { family_ids: [hex(bytes)] } })],
    [16, 16, (bytes: number) => ({ id_block: { image_ids: [hex(bytes)] } })],
    [32, 32, (bytes: number) => ({ host_data: { accepted: [hex(bytes)] } })],
    [48, 48, (bytes: number) => ({ measurements: [hex(bytes)] })],
    [1, 16, (digits: number) => ({ tcb: { launch_mitigations: `0x${"f".repeat(digits)}` } })],
  ] as const) {
    assert.ok(accepts(written(least)) && accepts(written(most)), JSON.stringify(written(least)));
    assert.ok(least === 0 || !accepts(written(least - 1)), JSON.stringify(written(least)));
    assert.ok(!accepts(written(most + 1)), JSON.stringify(written(least)));
  }
  assert.ok(!accepts({ vmpl: [-1] }) && !accepts({ id_block: { min_guest_svn: -1 } }));
});
