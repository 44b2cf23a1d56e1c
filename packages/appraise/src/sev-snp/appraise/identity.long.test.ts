import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { AT, chipId, type ReportOptions } from "../testing/machine.ts";
import { failures, filled, genoa, turin, type Rules } from "../testing/appraisal.ts";

test("products are the policy's to choose", async () => {
  assert.deepEqual(await failures({}, { products: ["Milan", "Turin"] }), [
    "product allowed: EVIDENCE_POLICY_VIOLATION",
  ]);
  assert.deepEqual(await failures({}, { products: ["Genoa"] }), []);
});

test("a key loaded by a provider is accepted from named providers only", async () => {
  const run = async (policy: Rules, cspId = "CN=cc-us-east-2.example.com"): Promise<readonly string[]> =>
    (
      await genoa.verify({
        report: {
          fields: [
            [AT.keyInfo, 4],
            [AT.chipId, new Uint8Array(64)],
          ],
        },
        key: { kind: "VLEK", cspId },
        policy,
      })
    ).failed;
  assert.deepEqual(await run({}), [
    "key kind allowed: EVIDENCE_POLICY_VIOLATION",
    "cloud provider: EVIDENCE_POLICY_VIOLATION",
  ]);
  const accepts = (pattern: string): Rules => ({ endorsement_keys: ["VLEK"], vlek_providers: [pattern] });
  for (const pattern of ["CN=cc-us-east-2.example.com", "CN=cc-*.example.com"])
    assert.deepEqual(await run(accepts(pattern)), []);
  for (const pattern of ["CN=cc-us-east-1.example.com", "CN=cc-*.example.org", "cc-us-east-2.example.com", "CN=cc-*"])
    assert.deepEqual(await run(accepts(pattern)), ["cloud provider: EVIDENCE_POLICY_VIOLATION"], pattern);
  assert.deepEqual(await run(accepts("CN=cc-*.example.com"), "CN=cc-x.evil.example.com"), [
    "cloud provider: EVIDENCE_POLICY_VIOLATION",
  ]);
  assert.deepEqual(await failures({}, { endorsement_keys: ["VLEK"] }), ["key kind allowed: EVIDENCE_POLICY_VIOLATION"]);
});

test("chips can be listed, both ways, by all their bytes", async () => {
  const other = "00".repeat(63) + "01";
  for (const [machine, ids] of [
    [genoa, [toHex(chipId("Genoa"))]],
    [turin, [toHex(chipId("Turin")), toHex(chipId("Turin").subarray(0, 8))]],
  ] as const) {
    for (const id of ids) {
      assert.deepEqual(await failures({}, { chips: { allow: [other, id] } }, machine), []);
      assert.deepEqual(await failures({}, { chips: { deny: [id] } }, machine), ["chip: EVIDENCE_REVOKED"]);
      assert.deepEqual(await failures({}, { chips: { allow: [id], deny: [id] } }, machine), ["chip: EVIDENCE_REVOKED"]);
    }
    assert.deepEqual(await failures({}, { chips: { allow: [other] } }, machine), ["chip: EVIDENCE_POLICY_VIOLATION"]);
    assert.deepEqual(await failures({}, { chips: { deny: [other] } }, machine), []);
  }
});

test("a masked chip is refused unless accepted, and never matches a list", async () => {
  const masked: ReportOptions = { fields: [[AT.chipId, new Uint8Array(64)]] };
  assert.deepEqual(await failures(masked), ["chip: EVIDENCE_POLICY_VIOLATION"]);
  const accepted = await genoa.verify({ report: masked, policy: { chips: { masked: "any" } } });
  assert.deepEqual(
    [accepted.failed, accepted.check("chip")?.status, accepted.check("endorsed chip")?.status],
    [[], "not-performed", "not-performed"],
  );
  for (const list of ["allow", "deny"])
    assert.deepEqual(await failures(masked, { chips: { masked: "any", [list]: ["00".repeat(64)] } }), [
      "chip: EVIDENCE_POLICY_VIOLATION",
    ]);
});

test("an ID block is required with each thing that only it can prove", async () => {
  const block: ReportOptions = {
    fields: [
      [AT.idKey, filled(48)],
      [AT.authorKey, filled(48, 0x22)],
      [AT.keyInfo, 1],
      [AT.familyId, filled(16, 0x33)],
      [AT.imageId, filled(16, 0x44)],
      [AT.guestSvn, 5],
    ],
  };
  const hex = (length: number, byte: string): string => byte.repeat(length);
  const accepted = {
    required: true,
    id_key_digests: [hex(48, "11")],
    author_key_digests: [hex(48, "22")],
    family_ids: [hex(16, "33")],
    image_ids: [hex(16, "44")],
    min_guest_svn: 5,
  };
  assert.deepEqual(await failures(block, { id_block: accepted }), []);
  const changes: readonly (readonly [Rules, string])[] = [
    [{ id_key_digests: [hex(48, "12")] }, "ID key"],
    [{ author_key_digests: [hex(48, "12")] }, "author key"],
    [{ family_ids: [hex(16, "12")] }, "family"],
    [{ image_ids: [hex(16, "12")] }, "image"],
    [{ min_guest_svn: 6 }, "guest SVN"],
  ];
  for (const [change, name] of changes)
    assert.deepEqual(await failures(block, { id_block: { ...accepted, ...change } }), [
      `${name}: EVIDENCE_POLICY_VIOLATION`,
    ]);
  for (const rule of [{ required: true }, { min_guest_svn: 1 }, { family_ids: [hex(16, "00")] }])
    assert.deepEqual(await failures({ fields: [[AT.guestSvn, 9]] }, { id_block: rule }), [
      "ID block: EVIDENCE_POLICY_VIOLATION",
    ]);
  const unused: ReportOptions = {
    fields: [
      [AT.idKey, filled(48)],
      [AT.authorKey, filled(48, 0x22)],
    ],
  };
  assert.deepEqual(await failures(unused, { id_block: { author_key_digests: [hex(48, "22")] } }), [
    "author key: EVIDENCE_POLICY_VIOLATION",
  ]);
});
