import assert from "node:assert/strict";
import { test } from "node:test";
import type { TpmEvidence } from "../evidence.ts";
import { readTpmEvidence } from "../read-evidence.ts";
import { sampleEvidence, sampleKey } from "../testing/sample-quote.ts";

const NONE = "EVIDENCE_MALFORMED";
const KEY = sampleKey("ecdsa");
const { quote } = sampleEvidence(KEY, new Map());
/** What begins so and goes on with bytes that are of no form. */
const starting = (start: readonly number[], length: number): Uint8Array =>
  Uint8Array.from([...start, ...new Uint8Array(length - start.length).fill(0xff)]);

/** The parts that a file adds to a bare quote, or the code with which it is refused. */
function added(bytes: Uint8Array): string {
  let evidence: TpmEvidence;
  try {
    evidence = readTpmEvidence(quote, [bytes]);
  } catch (thrown) {
    assert.ok(thrown instanceof Error && "code" in thrown);
    return String(thrown.code);
  }
  const { registers, certificates, signature, attestationKey, eventLog } = evidence;
  for (const part of [signature, attestationKey, eventLog])
    assert.ok(part === undefined || Buffer.from(bytes).equals(part));
  const parts = { signature, attestationKey, eventLog, registers: registers.size || undefined };
  const names = Object.entries(parts).flatMap(([name, part]) => (part === undefined ? [] : [name]));
  return [...names, ...certificates.map(() => "certificate")].join();
}

test("a plain signature is told by its length, of RSA or of ECDSA", () => {
  for (const length of [64, 96, 256, 384, 512]) {
    assert.equal(added(starting([], length)), "signature", `${length} bytes`);
    for (const other of [length - 1, length + 1]) assert.equal(added(starting([], other)), NONE, `${other} bytes`);
  }
});

test("a signature and a key of a TPM are told by the two bytes of their type, a sized key by its length", () => {
  for (const [start, kind] of [
    [[0, 0x14], "signature"],
    [[0, 0x16], "signature"],
    [[0, 0x18], "signature"],
    [[0, 0x01], "attestationKey"],
    [[0, 0x23], "attestationKey"],
    [[0, 98], "attestationKey"],
    [[0, 0x15], NONE],
    [[0, 0x17], NONE],
    [[0, 0x19], NONE],
    [[0, 0x02], NONE],
    [[0, 0x24], NONE],
    [[1, 0x01], NONE],
    [[1, 0x14], NONE],
    [[0, 97], NONE],
    [[0, 99], NONE],
    [[1, 98], NONE],
  ] as const)
    assert.equal(added(starting(start, 100)), kind, start.join());
  assert.equal(added(starting([1, 98], 256 + 98 + 2)), "attestationKey");
  for (const nothing of [[], [0], [1]]) assert.equal(added(Uint8Array.from(nothing)), NONE, nothing.join());
});

test("an event log begins with the number of a PCR, and has an event", () => {
  for (const [start, length, kind] of [
    [[0, 0, 0, 0], 32, "eventLog"],
    [[7, 0, 0, 0], 33, "eventLog"],
    [[0, 0, 0, 0], 31, NONE],
    [[7, 0, 1, 0], 32, NONE],
    [[7, 0, 0, 1], 32, NONE],
    [[7, 0, 1, 1], 32, NONE],
  ] as const)
    assert.equal(added(starting(start, length)), kind, `${start.join()} of ${length}`);
});

test("DER of two numbers is a signature, and other DER that is no certificate is taken for a key", () => {
  assert.equal(added(Uint8Array.of(0x30, 6, 2, 1, 5, 2, 1, 7)), "signature");
  assert.equal(added(Uint8Array.of(0x30, 6, 0x30, 1, 2, 2, 1, 7)), "attestationKey");
});

test("a public key in PEM is told within its first 4096 bytes", () => {
  const text = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
  const behind = (bytes: number): Uint8Array => Buffer.from(`${"\n".repeat(bytes)}${text}`);
  const marker = "-----BEGIN PUBLIC KEY-----".length;
  assert.deepEqual(
    [0, 4096 - marker, 4097 - marker].map((bytes) => added(behind(bytes))),
    ["attestationKey", "attestationKey", NONE],
  );
});
