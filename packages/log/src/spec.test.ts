import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, sign, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fromBase64Url, toBase64 } from "@cmcp/boundary";
import * as log from "./index.ts";

const spec = await readFile(new URL("../SPEC.md", import.meta.url), "utf8");
const blocks = (kind: string): string[] =>
  [...spec.matchAll(new RegExp(`\`\`\`${kind}\\n([^\`]*)\`\`\``, "g"))].map((match) => match[1] ?? "");

/** A private key that is 32 times one byte (RFC 8410 section 7). */
function keyOf(byte: number): KeyObject {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, byte)]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}
function verifierKeyOf(name: string, type: log.SignatureType, key: KeyObject): log.VerifierKey {
  const { x = "" } = createPublicKey(key).export({ format: "jwk" });
  return log.verifierKey(name, type, fromBase64Url(x) ?? assert.fail());
}

test("the example is what the code writes", () => {
  const [ownKey, witnessKey] = [keyOf(1), keyOf(2)];
  const own = verifierKeyOf("example.com/log/0", log.SIGNATURE_TYPE.ed25519, ownKey);
  const witness = verifierKeyOf("witness.example/w1", log.SIGNATURE_TYPE.cosignature, witnessKey);
  const leaves = ["a", "b", "c"].map((text) => log.leafHash(new TextEncoder().encode(text)));
  const { range, root, paths } = log.appendLeaves(log.EMPTY_RANGE, leaves);
  const text = log.formatCheckpoint({ origin: own.name, size: range.size, root });
  const time = 1_764_000_000;
  const signature = sign(null, log.cosignedMessage(text, time), witnessKey);
  const note = log.signNote(text, own, (bytes) => sign(null, bytes, ownKey));
  const lines = (hashes: readonly Uint8Array[]): string => hashes.map((hash) => `${toBase64(hash)}\n`).join("");
  assert.deepEqual(blocks("keys"), [`${log.formatVerifierKey(own)}\n${log.formatVerifierKey(witness)}\n`]);
  assert.deepEqual(blocks("note"), [note + log.formatCosignature(witness, { time, signature })]);
  assert.deepEqual(blocks("hashes"), [lines(paths[0] ?? []), lines(range.hashes)]);
});

test("the example is what the code reads", () => {
  const [own, witness] = (blocks("keys")[0] ?? "").trim().split("\n").map(log.readVerifierKey);
  const note = log.parseNote(blocks("note")[0] ?? "");
  assert.ok(own !== undefined && witness !== undefined);
  assert.ok(log.isSignedBy(note, own));
  assert.equal(log.cosignedAt(note, witness), 1_764_000_000);
  assert.equal(log.parseCheckpoint(note.text).size, 3);
});

test("the bounds are those of the code", () => {
  for (const [row, value] of [
    ["bytes of a note", log.MAX_NOTE_BYTES],
    ["signature lines", log.MAX_NOTE_SIGNATURES],
    ["characters of a policy", log.MAX_WITNESS_POLICY_LENGTH],
    ["logs, witnesses, groups, each", log.MAX_POLICY_ENTRIES],
  ] as const)
    assert.ok(spec.includes(`| ${row} | ${value} |`), row);
  assert.ok(spec.includes(`1 to ${log.MAX_COSIGNED_TIME}`));
  assert.ok(spec.includes(`1 to ${log.MAX_NAME_BYTES} bytes`));
  assert.ok(spec.includes(`level is ${log.MAX_TILE_LEVEL}.`));
});
