import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { STRICT_SEV_SNP_POLICY } from "./policy.ts";
import { AT, signedReport, type ReportOptions } from "./testing/machine.ts";
import { genoa, key, report, run } from "./testing/verification.ts";

test("a machine of our own is not AMD's", async () => {
  assert.deepEqual((await run({}, STRICT_SEV_SNP_POLICY)).failed, ["VCEK chain: EVIDENCE_ROOT_NOT_TRUSTED"]);
  const { verified } = await run({}, STRICT_SEV_SNP_POLICY);
  assert.equal(verified, false);
});

test("the kind of key must be the one the report names", async () => {
  const vlek = await genoa.key({ kind: "VLEK" });
  const named: ReportOptions = { fields: [[AT.keyInfo, 4]] };
  assert.deepEqual((await run({ report: await signedReport("Genoa", key, named) })).failed, [
    "VLEK chain: EVIDENCE_CHAIN_INVALID",
  ]);
  assert.deepEqual(
    (
      await run({
        report: await signedReport("Genoa", vlek),
        certificates: [vlek.der, genoa.signing.VLEK.der, genoa.root.der],
      })
    ).failed,
    ["VCEK chain: EVIDENCE_CHAIN_INVALID"],
  );
  for (const keyInfo of [28, 8, 24, 2, 6]) {
    const { verified, failed } = await run({
      report: await signedReport("Genoa", key, { fields: [[AT.keyInfo, keyInfo]] }),
    });
    assert.deepEqual([verified, failed], [false, ["signing key: EVIDENCE_SIGNATURE_INVALID"]], `${keyInfo}`);
  }
});

test("the signature's numbers are in range and nothing stands behind them", async () => {
  const order = Buffer.from(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    "hex",
  ).toReversed();
  const changes: readonly ((bytes: Uint8Array) => void)[] = [
    (bytes) => bytes.fill(0, 0x2a0),
    (bytes) => bytes.fill(0, 0x2a0, 0x2a0 + 48),
    (bytes) => bytes.fill(0, 0x2a0 + 72, 0x2a0 + 120),
    (bytes) => bytes.set(order, 0x2a0),
    (bytes) => bytes.set(order, 0x2a0 + 72),
    (bytes) => bytes.fill(1, 0x2a0 + 48, 0x2a0 + 49),
    (bytes) => bytes.fill(1, 0x2a0 + 143, 0x2a0 + 144),
    (bytes) => bytes.fill(1, 0x2a0 + 144, 0x2a0 + 145),
    (bytes) => bytes.fill(1, 0x49f),
  ];
  for (const change of changes) {
    const bytes = Uint8Array.from(report);
    change(bytes);
    assert.deepEqual(await run({ report: bytes }).then(({ verified, failed }) => [verified, failed]), [
      false,
      ["signature form: EVIDENCE_SIGNATURE_INVALID"],
    ]);
  }
  for (const algorithm of [0, 2])
    assert.deepEqual(
      (await run({ report: await signedReport("Genoa", key, { fields: [[AT.algorithm, algorithm]] }) })).failed,
      ["signature form: EVIDENCE_SIGNATURE_INVALID"],
    );
});

test("report data changes nothing but itself", async () => {
  const nonce = fc.uint8Array({ minLength: 64, maxLength: 64 });
  await fc.assert(
    fc.asyncProperty(nonce, nonce, async (first, second) => {
      const reports = await Promise.all(
        [first, second].map((reportData) =>
          genoa.verify({ report: { fields: [[AT.reportData, reportData]] }, input: { reportData } }),
        ),
      );
      const facts = reports.map(({ verified, failed }) => [
        verified?.measurement,
        verified?.hostData,
        verified?.policy,
        verified?.reportedTcb,
        verified?.chipId,
        failed,
      ]);
      assert.deepEqual(facts[0], facts[1]);
      assert.deepEqual(
        reports.map(({ verified }) => verified?.reportData),
        [first, second],
      );
    }),
    { numRuns: 20 },
  );
});
