import assert from "node:assert/strict";
import { test } from "node:test";
import { issue, issueList, UNTIL, type ListOptions } from "../testing/authority.ts";
import { ORGANISATION, signedReport } from "./testing/machine.ts";
import { genoa, key, run } from "./testing/verification.ts";

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
