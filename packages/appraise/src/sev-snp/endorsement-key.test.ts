import assert from "node:assert/strict";
import { test } from "node:test";
import { ecKeys } from "../testing/authority.ts";
import { Certificate } from "../x509/certificate.ts";
import { endorsementKeyKind, readEndorsementKey, signingKeyName } from "./endorsement-key.ts";
import { Machine, TCB, type KeyOptions } from "./testing/machine.ts";

const [genoa, turin] = [await Machine.make("Genoa"), await Machine.make("Turin")];
const AMD = "1.3.6.1.4.1.3704.1";
const read = async (options: KeyOptions, machine = genoa) =>
  readEndorsementKey(Certificate.parse((await machine.key(options)).der));
const refused = async (options: KeyOptions, message: RegExp, machine = genoa): Promise<void> =>
  await assert.rejects(read(options, machine), { code: "EVIDENCE_MALFORMED", message });

test("a certificate says the kind of key, product, versions and chip", async () => {
  const hwId = Uint8Array.from({ length: 64 }, (_, index) => index + 1);
  assert.deepEqual(await read({ productName: "Genoa-B1" }), {
    kind: "VCEK",
    product: "Genoa",
    productName: "Genoa-B1",
    tcb: TCB.Genoa,
    hwId,
  });
  assert.deepEqual((await read({ wrapHwId: true })).hwId, hwId);
  const ofTurin = await read({}, turin);
  assert.deepEqual([ofTurin.tcb, ofTurin.hwId], [TCB.Turin, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)]);
  assert.deepEqual(await read({ kind: "VLEK", cspId: "CN=a" }), {
    kind: "VLEK",
    product: "Genoa",
    productName: "Genoa",
    tcb: TCB.Genoa,
    cspId: "CN=a",
  });
});

test("an extension that is missing, or of the other kind of key, is refused", async () => {
  for (const oid of [".2", ".3.1", ".3.2", ".3.3", ".3.8", ".4"])
    await refused({ without: oid }, new RegExp(`has no extension ${AMD}${oid}`.replaceAll(".", "\\.")));
  await refused({ without: ".3.9" }, /has no extension/, turin);
  await refused({ kind: "VLEK", without: ".5" }, /has no extension/);
  await refused({ extra: [[`${AMD}.5`, Uint8Array.of(0x16, 1, 65)]] }, /VCEK's with a cloud provider/);
  await refused({ kind: "VLEK", extra: [[`${AMD}.4`, new Uint8Array(64)]] }, /VLEK's with the identity of a chip/);
  await refused({ subject: "SEV-Genoa" }, /is of no endorsement key/);
  await refused({ productName: "Rome" }, /product that is not known/);
  await refused({ keys: await ecKeys("P-256") }, /not on P-384/);
});

test("a version is one byte, a text printable, a chip as long as its product's", async () => {
  const tcb = { ...TCB.Genoa, microcode: 255 };
  assert.deepEqual((await read({ tcb })).tcb, tcb);
  const long = Uint8Array.of(2, 2, 1, 0);
  await refused({ without: ".3.8", extra: [[`${AMD}.3.8`, long]] }, /more than a byte/);
  await refused({ without: ".3.8", extra: [[`${AMD}.3.8`, Uint8Array.of(2, 1, 5, 0)]] }, /bytes too many/);
  assert.equal((await read({ kind: "VLEK", cspId: " ~" })).cspId, " ~");
  for (const text of ["\u001f", "\u007f"]) await refused({ kind: "VLEK", cspId: text }, /not printable ASCII/);
  for (const length of [8, 63, 65]) await refused({ hwId: new Uint8Array(length).fill(1) }, /chip|tag|bytes|length/);
  for (const length of [8, 63, 65])
    await refused({ hwId: new Uint8Array(length).fill(1), wrapHwId: true }, /is not 64 bytes/);
});

test("kinds and signing keys go by their common names", async () => {
  for (const [subject, kind] of [
    ["SEV-VCEK", "VCEK"],
    ["SEV-VLEK", "VLEK"],
    ["SEV-VCEK2", undefined],
  ] as const)
    assert.equal(endorsementKeyKind(Certificate.parse((await genoa.key({ subject })).der)), kind);
  assert.deepEqual([signingKeyName("VCEK", "Milan"), signingKeyName("VLEK", "Turin")], ["SEV-Milan", "SEV-VLEK-Turin"]);
});
