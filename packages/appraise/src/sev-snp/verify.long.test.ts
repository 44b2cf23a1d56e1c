import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { CA_USES, ecKeys, issue, issueList, NOW, UNTIL, type ListOptions } from "../testing/authority.ts";
import { STRICT_SEV_SNP_POLICY } from "./policy.ts";
import {
  AT,
  Machine,
  ORGANISATION,
  signedReport,
  TCB,
  type KeyOptions,
  type ReportOptions,
} from "./testing/machine.ts";
import { verifySevSnp, type SnpInput } from "./verify.ts";

const genoa = await Machine.make("Genoa");
const key = await genoa.key();
const report = await signedReport("Genoa", key);

async function run(
  input: Partial<SnpInput>,
  policy = genoa.policy(),
): Promise<{
  readonly verified: boolean;
  readonly failed: readonly string[];
  readonly check: (name: string) => string | undefined;
}> {
  const { verified, checks } = await verifySevSnp(
    { report, certificates: [key.der, genoa.signing.VCEK.der, genoa.root.der], ...input },
    policy,
    NOW,
    webcrypto,
  );
  return {
    verified: verified !== null,
    failed: checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code}`),
    check: (wanted) => checks.find(({ name }) => name === wanted)?.status,
  };
}

const pem = (...certificates: readonly Uint8Array[]): Buffer =>
  Buffer.from(
    certificates
      .map((der) => `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`)
      .join(""),
  );

/** A certificate table as AMD 56421 has it: rows of GUID, offset and length, a zero row, the certificates. */
function table(...entries: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const header = Buffer.alloc((entries.length + 1) * 24);
  let offset = header.length;
  for (const [index, [guid, bytes]] of entries.entries()) {
    Buffer.from(guid.replaceAll("-", ""), "hex").copy(header, index * 24);
    header.writeUInt32LE(offset, index * 24 + 16);
    header.writeUInt32LE(bytes.length, index * 24 + 20);
    offset += bytes.length;
  }
  return Buffer.concat([header, ...entries.map(([, bytes]) => bytes)]);
}

const VCEK = "63da758d-e664-4564-adc5-f4b93be8accd";
const ASK = "4ab7b379-bbac-4fe4-a02f-05aef327c782";
const ARK = "c0b406a4-a803-4952-9743-3fb6014cd0ae";

test("certificates are taken as DER, as text, as PEM and as a host's table, in any order", async () => {
  const [leaf, signing, root] = [key.der, genoa.signing.VCEK.der, genoa.root.der];
  const forms: readonly (readonly Uint8Array[])[] = [
    [root, leaf, signing, leaf],
    [pem(leaf, signing, root)],
    [leaf, pem(root, signing)],
    [Buffer.from(`0x${Buffer.from(leaf).toString("hex")}`), Buffer.from(Buffer.from(signing).toString("hex")), root],
    [Buffer.from(Buffer.from(leaf).toString("hex")), Buffer.from(`${Buffer.from(signing).toString("base64")}\n`), root],
    [Buffer.from(pem(leaf, signing, root).toString().replaceAll("\n", "\r\n"))],
    [table(["11111111-2222-3333-4444-555555555555", Uint8Array.of(1)], [VCEK, leaf], [ASK, signing], [ARK, root])],
    [table([VCEK, pem(leaf)]), pem(signing), root],
  ];
  for (const certificates of forms)
    assert.deepEqual(await run({ certificates }).then(({ verified, failed }) => [verified, failed]), [true, []]);
});

test("certificates that cannot be read fail by name", async () => {
  const refused: readonly (readonly Uint8Array[])[] = [
    [Uint8Array.of(0x30, 1)],
    [key.der, Uint8Array.of(1, 2, 3)],
    [key.der.subarray(1)],
    [pem(key.der).subarray(0, 200)],
    Array.from({ length: 17 }, () => key.der),
    [Buffer.from("3082zz")],
    [Buffer.from("MIIB")],
  ];
  for (const certificates of refused)
    assert.deepEqual((await run({ certificates })).failed, ["certificate form: EVIDENCE_MALFORMED"]);
});

test("without a certificate of the signing key there is no chain", async () => {
  for (const certificates of [[], [genoa.signing.VCEK.der, genoa.root.der], [new Uint8Array()]]) {
    const { verified, failed, check } = await run({ certificates });
    assert.deepEqual(
      [verified, failed, check("appraisal")],
      [false, ["VCEK chain: EVIDENCE_CHAIN_INVALID"], "not-performed"],
    );
  }
  const rest = [genoa.signing.VCEK.der, genoa.root.der];
  assert.deepEqual((await run({ certificates: [...Array.from({ length: 4 }, () => key.der), ...rest] })).failed, []);
  assert.deepEqual((await run({ certificates: [...Array.from({ length: 5 }, () => key.der), ...rest] })).failed, [
    "VCEK chain: EVIDENCE_CHAIN_INVALID",
  ]);
});

test("of several certificates the one whose key signed is taken", async () => {
  const others = [await genoa.key(), await genoa.key()];
  assert.deepEqual(
    (await run({ certificates: [...others.map(({ der }) => der), key.der, genoa.signing.VCEK.der, genoa.root.der] }))
      .failed,
    [],
  );
  assert.deepEqual(
    (await run({ certificates: [...others.map(({ der }) => der), genoa.signing.VCEK.der, genoa.root.der] })).failed,
    ["signature: EVIDENCE_SIGNATURE_INVALID"],
  );
});

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

async function authenticity(
  keyOptions: KeyOptions,
  reportOptions: ReportOptions = {},
  machine = genoa,
): Promise<readonly string[]> {
  const { verified, failed } = await machine.verify({ key: keyOptions, report: reportOptions });
  assert.equal(verified === null, failed.length > 0);
  return failed;
}

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

test("certificates must be valid at the time of verification", async () => {
  const { verified, failed } = await genoa.verify({ at: new Date(UNTIL.getTime() + 1000) });
  assert.deepEqual([verified !== null, failed], [true, ["VCEK validity: EVIDENCE_EXPIRED"]]);
});

test("AMD's revocation list is the root's and covers the signing key", async () => {
  const list = (options: ListOptions = {}, by = genoa.root): Promise<Uint8Array> => issueList(by, options);
  const status = async (...lists: readonly Uint8Array[]): Promise<readonly [readonly string[], string | undefined]> => {
    const { failed, check } = await run({ revocationLists: lists });
    return [failed, check("VCEK revocation")];
  };
  assert.deepEqual(await status(), [[], "not-performed"]);
  assert.deepEqual(await status(await list()), [[], "passed"]);
  assert.deepEqual(await status(await list({ serials: ["00", "03"] })), [[], "passed"]);
  assert.deepEqual(await status(await list({ serials: ["02"] })), [["VCEK revocation: EVIDENCE_REVOKED"], "failed"]);
  assert.deepEqual(await status(await list({ until: new Date("2025-06-01T00:00:00Z") })), [
    ["VCEK revocation: EVIDENCE_EXPIRED"],
    "failed",
  ]);
  assert.deepEqual(await status(await list({ issuer: genoa.root.name }, genoa.signing.VCEK)), [
    ["VCEK revocation: EVIDENCE_COLLATERAL_INVALID"],
    "failed",
  ]);
  const stranger = await issue({ subject: `${ORGANISATION}, CN=ARK-Milan` });
  assert.deepEqual(await status(await list({}, stranger)), [[], "not-performed"]);
  assert.deepEqual((await run({ revocationLists: [Uint8Array.of(1)] })).failed, [
    "revocation list form: EVIDENCE_COLLATERAL_INVALID",
  ]);
  const one = await list();
  assert.deepEqual((await run({ revocationLists: Array.from({ length: 9 }, () => one) })).failed, [
    "revocation list form: EVIDENCE_COLLATERAL_INVALID",
  ]);
});

test("an endorsement key with a serial number of its own can be revoked", async () => {
  const numbered = await genoa.key({ serial: "77" });
  const revocationLists = [await issueList(genoa.root, { serials: ["77"] })];
  const certificates = [numbered.der, genoa.signing.VCEK.der, genoa.root.der];
  assert.deepEqual(
    (await run({ report: await signedReport("Genoa", numbered), certificates, revocationLists })).failed,
    ["VCEK revocation: EVIDENCE_REVOKED"],
  );
});

test("a list that ran out counts as none where the policy says so", async () => {
  const revocationLists = [await issueList(genoa.root, { until: new Date("2025-06-01T00:00:00Z") })];
  const { failed, check } = await run({ revocationLists }, genoa.policy({ stale_lists: "accept" }));
  assert.deepEqual([failed, check("VCEK revocation")], [[], "not-performed"]);
});
