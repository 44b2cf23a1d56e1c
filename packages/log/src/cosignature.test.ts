import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { fromBase64Url } from "@cmcp/boundary";
import { cosignaturesBy, cosignedMessage, formatCosignature, MAX_COSIGNED_TIME } from "./cosignature.ts";
import { SIGNATURE_TYPE } from "./key.ts";
import { parseNote, parseSignatures, type Note } from "./note.ts";
import { cosignedAt, cosignedTimes, verifierKey } from "./verify.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const bytes = fromBase64Url(publicKey.export({ format: "jwk" }).x ?? "") ?? assert.fail();
const WITNESS = verifierKey("witness.example/w1", SIGNATURE_TYPE.cosignature, bytes);
const TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

function line(time: number, text = TEXT, key = WITNESS): string {
  return formatCosignature(key, { time, signature: sign(null, cosignedMessage(text, time), privateKey) });
}
const noteOf = (...lines: readonly string[]): Note => parseNote(`${TEXT}\n${lines.join("")}`);

test("the message is that of the specification", () => {
  assert.equal(
    new TextDecoder().decode(cosignedMessage(TEXT, 1_679_315_147)),
    `cosignature/v1\ntime 1679315147\n${TEXT}`,
  );
});

test("a cosignature of the published form is read as its time and signature", () => {
  const published =
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
  const [signature] = parseSignatures(published);
  const key = { ...WITNESS, name: "witness.example.com/w1", id: signature?.keyId ?? 0 };
  const [cosignature] = cosignaturesBy(noteOf(published), key);
  assert.equal(cosignature?.time, 1_679_315_147);
  assert.equal(cosignature.signature.length, 64);
  assert.equal(formatCosignature(key, cosignature), published);
});

test("a witness's time is that of its latest cosignature, if all verify", () => {
  assert.equal(cosignedAt(noteOf(line(7)), WITNESS), 7);
  assert.equal(cosignedAt(noteOf(line(7), line(9), line(8)), WITNESS), 9);
  const other = line(8, TEXT.replace("20852163", "20852164"));
  assert.equal(cosignedAt(noteOf(other), WITNESS), undefined, "a cosignature of another head");
  assert.equal(cosignedAt(noteOf(line(7), other), WITNESS), undefined, "one that does not verify spoils the others");
  const renamed = { ...WITNESS, name: "witness.example/w2" };
  assert.equal(cosignedAt(noteOf(line(7)), renamed), undefined);
  assert.equal(cosignedAt(noteOf(line(7)), { ...WITNESS, id: WITNESS.id ^ 1 }), undefined);
});

test("a time is not moved without the key", () => {
  const [cosignature] = cosignaturesBy(noteOf(line(7)), WITNESS);
  assert.ok(cosignature !== undefined);
  assert.equal(cosignedAt(noteOf(formatCosignature(WITNESS, { ...cosignature, time: 8 })), WITNESS), undefined);
});

test("lines of a witness that are no cosignature are no vote", () => {
  const signature = new Uint8Array(64);
  for (const time of [0, MAX_COSIGNED_TIME + 1])
    assert.deepEqual(cosignaturesBy(noteOf(line(7), formatCosignature(WITNESS, { time, signature })), WITNESS), []);
  for (const length of [63, 65])
    assert.deepEqual(
      cosignaturesBy(noteOf(formatCosignature(WITNESS, { time: 1, signature: new Uint8Array(length) })), WITNESS),
      [],
    );
  assert.equal(cosignedAt(noteOf(line(0)), WITNESS), undefined);
  assert.equal(cosignedAt(noteOf(line(MAX_COSIGNED_TIME)), WITNESS), MAX_COSIGNED_TIME);
});

test("the times of witnesses are by their names in the policy", () => {
  const other = { name: "b", key: { ...WITNESS, name: "witness.example/w2" }, url: null };
  const times = cosignedTimes(noteOf(line(7)), [{ name: "a", key: WITNESS, url: null }, other]);
  assert.deepEqual([...times], [["a", 7]]);
});
