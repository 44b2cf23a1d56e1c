import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { CA_USES, ecKeys, issue } from "../testing/authority.ts";
import {
  AT,
  Machine,
  ORGANISATION,
  signedReport,
  TCB,
  type KeyOptions,
  type ReportOptions,
} from "./testing/machine.ts";
import { authenticity, genoa, run } from "./testing/verification.ts";

test("the key's TCB is the reported one in every part", async () => {
  for (const part of ["bootloader", "tee", "snp", "microcode"] as const) {
    assert.deepEqual(
      await authenticity({ tcb: { ...TCB.Genoa, [part]: TCB.Genoa[part] + 1 } }),
      ["endorsed TCB: EVIDENCE_CHAIN_INVALID"],
      part,
    );
  }
  const turin = await Machine.make("Turin");
  assert.deepEqual(await authenticity({ tcb: { ...TCB.Turin, fmc: 1 } }, {}, turin), [
    "endorsed TCB: EVIDENCE_CHAIN_INVALID",
  ]);
  assert.deepEqual(
    await authenticity(
      { tcb: { ...TCB.Turin, microcode: 200 } },
      {
        tcb: {
          reported: { ...TCB.Turin, microcode: 200 },
          committed: { ...TCB.Turin, microcode: 200 },
          current: { ...TCB.Turin, microcode: 200 },
        },
      },
      turin,
    ),
    [],
  );
});

test("the key's chip is the report's, raw or as an octet string", async () => {
  const turin = await Machine.make("Turin");
  for (const machine of [genoa, turin]) {
    const length = machine === turin ? 8 : 64;
    assert.deepEqual(await authenticity({ wrapHwId: true }, {}, machine), []);
    const other = new Uint8Array(length).fill(9);
    for (const wrapHwId of [true, false])
      assert.deepEqual(await authenticity({ hwId: other, wrapHwId }, {}, machine), [
        "endorsed chip: EVIDENCE_CHAIN_INVALID",
      ]);
    assert.deepEqual(await authenticity({ hwId: new Uint8Array(length + 1) }, {}, machine), [
      "endorsement key: EVIDENCE_MALFORMED",
    ]);
    assert.deepEqual(await authenticity({ hwId: new Uint8Array(length - 1), wrapHwId: true }, {}, machine), [
      "endorsement key: EVIDENCE_MALFORMED",
    ]);
  }
  assert.deepEqual(await authenticity({}, { fields: [[AT.chipId + 8, 1, 1]] }, turin), [
    "endorsed chip: EVIDENCE_CHAIN_INVALID",
  ]);
});

test("product of root, signing key, certificate and processor are one", async () => {
  for (const name of ["Genoa-B1", "Bergamo-A2", "Siena"])
    assert.deepEqual(await authenticity({ productName: name }), []);
  assert.deepEqual(await authenticity({ productName: "Milan-B0" }), ["product: EVIDENCE_CHAIN_INVALID"]);
  assert.deepEqual(await authenticity({ productName: "Naples" }), ["endorsement key: EVIDENCE_MALFORMED"]);
  const processor = (family: number, model: number): ReportOptions => ({
    fields: [[AT.cpuid, Uint8Array.of(family, model, 0)]],
  });
  for (const [family, model] of [
    [0x19, 0x10],
    [0x19, 0x1f],
    [0x19, 0xa0],
  ] as const)
    assert.deepEqual(await authenticity({}, processor(family, model)), []);
  for (const [family, model] of [
    [0x19, 0x01],
    [0x1a, 0x02],
    [0x19, 0x20],
    [0x17, 0x11],
    [0, 0],
  ] as const)
    assert.deepEqual(await authenticity({}, processor(family, model)), ["product: EVIDENCE_CHAIN_INVALID"]);
  const { failed } = await genoa.verify({ report: { version: 2 }, policy: { min_report_version: 2 } });
  assert.deepEqual(failed, []);
});

test("a VCEK comes from the key for VCEKs, a VLEK from the one for VLEKs", async () => {
  assert.deepEqual(await authenticity({ signedBy: "VLEK" }), ["product: EVIDENCE_CHAIN_INVALID"]);
  const policy = { endorsement_keys: ["VLEK"], vlek_providers: ["*.example.com", "CN=cc-*.example.com"] };
  const named: ReportOptions = { fields: [[AT.keyInfo, 4]] };
  assert.deepEqual((await genoa.verify({ report: named, key: { kind: "VLEK" }, policy })).failed, []);
  assert.deepEqual((await genoa.verify({ report: named, key: { kind: "VLEK", signedBy: "VCEK" }, policy })).failed, [
    "product: EVIDENCE_CHAIN_INVALID",
  ]);
});

test("a certificate without what AMD writes into it is refused", async () => {
  for (const without of [".2", ".3.1", ".3.2", ".3.3", ".3.8", ".4"])
    assert.deepEqual(await authenticity({ without }), ["endorsement key: EVIDENCE_MALFORMED"], without);
  const turin = await Machine.make("Turin");
  assert.deepEqual(await authenticity({ without: ".3.9" }, {}, turin), ["endorsement key: EVIDENCE_MALFORMED"]);
  const amd = "1.3.6.1.4.1.3704.1";
  const wrong: readonly KeyOptions[] = [
    { extra: [[`${amd}.5`, Uint8Array.of(0x16, 1, 0x41)]] },
    { without: ".3.8", extra: [[`${amd}.3.8`, Uint8Array.of(2, 2, 1, 84)]] },
    { without: ".3.8", extra: [[`${amd}.3.8`, Uint8Array.of(2, 1, 84, 0)]] },
    { without: ".2", extra: [[`${amd}.2`, Uint8Array.of(0x0c, 5, ...Buffer.from("Genoa"))]] },
    { productName: "Genoa-\u0001" },
  ];
  for (const options of wrong)
    assert.deepEqual(await authenticity(options), ["endorsement key: EVIDENCE_MALFORMED"], JSON.stringify(options));
  const vlek: KeyOptions = { kind: "VLEK", extra: [[`${amd}.4`, new Uint8Array(64)]] };
  assert.deepEqual(await authenticity(vlek, { fields: [[AT.keyInfo, 4]] }), ["endorsement key: EVIDENCE_MALFORMED"]);
});

test("an endorsement key is on P-384", async () => {
  const small = await genoa.key({ keys: await ecKeys("P-256") });
  const { failed } = await run({ certificates: [small.der, genoa.signing.VCEK.der, genoa.root.der] });
  assert.deepEqual(failed, ["signature: EVIDENCE_SIGNATURE_INVALID", "endorsement key: EVIDENCE_MALFORMED"]);
});

test("a path of more or fewer certificates than AMD's is refused", async () => {
  const between = await issue(
    { subject: `${ORGANISATION}, CN=ARK-Genoa`, ca: true, uses: CA_USES, serial: "09" },
    genoa.root,
  );
  const signing = await issue({ subject: genoa.signing.VCEK.name, ca: true, uses: CA_USES }, between);
  const machine = new Machine("Genoa", genoa.root, { VCEK: signing, VLEK: signing });
  const longer = await machine.key();
  const input = {
    report: await signedReport("Genoa", longer),
    certificates: [longer.der, signing.der, between.der, genoa.root.der],
  };
  assert.deepEqual((await run(input)).failed, ["product: EVIDENCE_CHAIN_INVALID"]);
  const direct = await new Machine("Genoa", genoa.root, { VCEK: genoa.root, VLEK: genoa.root }).verify();
  assert.deepEqual([direct.verified, direct.failed], [null, ["product: EVIDENCE_CHAIN_INVALID"]]);
});

test("a root is trusted for its own product only", async () => {
  const certificate_sha256 = createHash("sha256").update(genoa.root.der).digest("hex");
  const { failed } = await run({}, genoa.policy({ trust_anchors: [{ product: "Milan", certificate_sha256 }] }));
  assert.deepEqual(failed, ["product: EVIDENCE_CHAIN_INVALID"]);
});
