import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { describeSnpReport } from "./describe.ts";
import { parseSnpReport, readKeyInfo, REPORT_BYTES } from "./report.ts";
import { AT, reportBody } from "./testing/machine.ts";

function unsigned(
  version = 5,
  fields: readonly (readonly [number, number | bigint | Uint8Array, (1 | 4 | 8)?])[] = [],
): Uint8Array<ArrayBuffer> {
  const report = new Uint8Array(REPORT_BYTES);
  report.set(reportBody("Genoa", { version, fields }));
  return report;
}

function response(report: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4000);
  new DataView(bytes.buffer).setUint32(4, REPORT_BYTES, true);
  bytes.set(report, 32);
  return bytes;
}

test("every field is read from the place the table gives it", () => {
  const fields = [
    [AT.guestSvn, 7],
    [AT.vmpl, 2],
    [AT.policy, 0x0000_0000_00ab_cdefn, 8],
    [AT.keyInfo, 5],
    [AT.launchMitigations, 9n, 8],
    [AT.currentMitigations, 10n, 8],
    [AT.currentVersion, Uint8Array.of(3, 2, 1)],
    [AT.committedVersion, Uint8Array.of(6, 5, 4)],
  ] as const;
  const { unverified } = parseSnpReport(unsigned(5, fields));
  assert.deepEqual(
    [unverified.version, unverified.guestSvn, unverified.vmpl, unverified.policy, unverified.keyInfo],
    [5, 7, 2, 0xabcdefn, 5],
  );
  assert.deepEqual([unverified.launchMitigations, unverified.currentMitigations], [9n, 10n]);
  assert.deepEqual(
    [unverified.currentVersion, unverified.committedVersion],
    [
      { major: 1, minor: 2, build: 3 },
      { major: 4, minor: 5, build: 6 },
    ],
  );
  const places: readonly (readonly [keyof typeof unverified, number, number])[] = [
    ["familyId", AT.familyId, 16],
    ["imageId", AT.imageId, 16],
    ["currentTcb", 0x38, 8],
    ["reportData", AT.reportData, 64],
    ["measurement", AT.measurement, 48],
    ["hostData", AT.hostData, 32],
    ["idKeyDigest", AT.idKey, 48],
    ["authorKeyDigest", AT.authorKey, 48],
    ["reportId", 0x140, 32],
    ["reportIdMa", AT.reportIdMa, 32],
    ["reportedTcb", 0x180, 8],
    ["chipId", AT.chipId, 64],
    ["committedTcb", 0x1e0, 8],
    ["launchTcb", 0x1f0, 8],
  ];
  for (const [name, at, length] of places) {
    const value = Uint8Array.from({ length }, (_, index) => index + 1);
    assert.deepEqual(parseSnpReport(unsigned(5, [[at, value]])).unverified[name], value, name);
  }
});

test("a version has its own fields, and the rest of it is reserved", () => {
  const two = parseSnpReport(unsigned(2)).unverified;
  assert.deepEqual([two.cpuid, two.launchMitigations, two.reservedIsZero], [null, null, true]);
  assert.deepEqual(parseSnpReport(unsigned(3)).unverified.cpuid, { family: 0x19, model: 0x11, stepping: 1 });
  const reserved = (version: number, at: number): boolean =>
    parseSnpReport(unsigned(version, [[at, 1, 1]])).unverified.reservedIsZero;
  assert.deepEqual([reserved(2, AT.cpuid), reserved(3, AT.cpuid)], [false, true]);
  assert.deepEqual(
    [reserved(4, AT.launchMitigations), reserved(5, AT.launchMitigations), reserved(4, 0x207), reserved(5, 0x207)],
    [false, true, false, true],
  );
  for (const at of [AT.reserved, AT.cpuid + 3, AT.chipId - 1, 0x1eb, 0x1ef, AT.tail, 0x29f])
    assert.equal(reserved(5, at), false, at.toString(16));
});

test("a report is 1184 bytes of a known version", () => {
  const whole = unsigned();
  for (const bytes of [whole.subarray(1), Uint8Array.from([...whole, 0]), new Uint8Array()])
    assert.throws(() => parseSnpReport(bytes), { code: "EVIDENCE_MALFORMED", message: /1184 bytes/ });
  for (const version of [0, 1, 6, 0x0200])
    assert.throws(() => parseSnpReport(unsigned(version)), { code: "EVIDENCE_MALFORMED", message: /version/ });
});

test("the kernel's response around a report is taken when nothing else can be in it", () => {
  const whole = unsigned(5, [[AT.reportData, Uint8Array.of(1, 2, 3)]]);
  assert.deepEqual(parseSnpReport(response(whole)), parseSnpReport(whole));
  for (const at of [0, 4, 8, 31, 32 + REPORT_BYTES, 3999]) {
    const changed = response(whole);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => parseSnpReport(changed), { code: "EVIDENCE_MALFORMED", message: /response/ }, `${at}`);
  }
});

test("what is parsed does not change with the caller's buffer", () => {
  const bytes = unsigned();
  const { unverified, signed } = parseSnpReport(bytes);
  const before = toHex(unverified.measurement);
  bytes.fill(0);
  assert.deepEqual([toHex(unverified.measurement), signed[0]], [before, 5]);
});

test("key info names the signer", () => {
  assert.deepEqual(
    [0, 4, 28, 8].map((bits) => readKeyInfo(bits).signer),
    ["VCEK", "VLEK", "none", "reserved"],
  );
  assert.deepEqual(readKeyInfo(3), { authorKey: true, maskChipKey: true, signer: "VCEK", reservedIsZero: true });
  assert.equal(readKeyInfo(0x8000_0000).reservedIsZero, false);
});

test("any 1184 bytes of a known version can be read and shown, and others are refused in one way", () => {
  const options = fc.oneof(
    fc.uint8Array({ minLength: REPORT_BYTES, maxLength: REPORT_BYTES }),
    fc.uint8Array({ maxLength: 5000 }),
    fc.uint8Array({ minLength: 4000, maxLength: 4000 }),
  );
  fc.assert(
    fc.property(options, fc.nat(7), (bytes, version) => {
      if (bytes.length === REPORT_BYTES) bytes.set([version, 0, 0, 0]);
      try {
        const rows = describeSnpReport(parseSnpReport(bytes));
        assert.ok(version >= 2 && version <= 5 && rows.every(({ value }) => value.length > 0));
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED", String(thrown));
      }
    }),
  );
});
