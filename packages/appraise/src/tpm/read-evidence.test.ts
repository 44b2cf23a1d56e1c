import assert from "node:assert/strict";
import { sign, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { CmcpError, toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { buildLog, SEPARATORS } from "../event-log/testing/build-log.ts";
import { issue } from "../testing/authority.ts";
import type { TpmEvidence } from "./evidence.ts";
import { parseAttestationKey } from "./public-key.ts";
import { readTpmEvidence } from "./read-evidence.ts";
import { evidenceDocument } from "./testing/evidence-document.ts";
import { tpmFile } from "./testing/genuine.ts";
import {
  ATTESTATION_KEY_ATTRIBUTES,
  plainSignature,
  sampleEvidence,
  sampleKey,
  samplePublicArea,
  sized,
} from "./testing/sample-quote.ts";

const KEY = sampleKey("ecdsa");
const VALUES = new Map([
  [0, new Uint8Array(32).fill(1)],
  [15, new Uint8Array(32).fill(2)],
]);
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const MALFORMED = (message: RegExp) => ({ code: "EVIDENCE_MALFORMED", message });

test("the JSON form of evidence is read back as it was written", async () => {
  const { der } = await issue({ subject: "CN=key" });
  const evidence: TpmEvidence = { ...sampleEvidence(KEY, VALUES), certificates: [der], eventLog: buildLog(SEPARATORS) };
  const read = readTpmEvidence(json(evidenceDocument(evidence)));
  const plain = (of: TpmEvidence): unknown => ({
    ...of,
    certificates: of.certificates.map(toHex),
    quote: toHex(of.quote),
    signature: toHex(of.signature ?? new Uint8Array()),
    attestationKey: toHex(of.attestationKey ?? new Uint8Array()),
    eventLog: toHex(of.eventLog ?? new Uint8Array()),
    registers: [...of.registers].map(([bank, values]) => [
      bank,
      [...values].map(([register, value]) => [register, toHex(value)]),
    ]),
  });
  assert.deepEqual(plain(read), plain(evidence));
});

test("JSON of another form is refused with what is wrong", () => {
  const document = evidenceDocument(sampleEvidence(KEY, VALUES));
  assert.throws(() => readTpmEvidence(json({ ...document, extra: 1 })), MALFORMED(/extra: unknown key/));
  assert.throws(() => readTpmEvidence(json({ ...document, quote: "*" })), MALFORMED(/quote is not base64/));
  const certified = (length: number): Uint8Array =>
    json({ ...document, ak_certificates: Array.from({ length }, () => "AAAA") });
  assert.equal(readTpmEvidence(certified(16)).certificates.length, 16);
  assert.throws(() => readTpmEvidence(certified(17)), MALFORMED(/ak_certificates/));
  assert.throws(() => readTpmEvidence(json({ ...document, pcrs: { sha256: { 24: "00" } } })), MALFORMED(/pcrs/));
  assert.throws(
    () => readTpmEvidence(json({ ...document, pcrs: { sha1: { 0: "00".repeat(20) } } })),
    MALFORMED(/pcrs/),
  );
  assert.throws(
    () => readTpmEvidence(json({ ...document, pcrs: { sha384: { 0: "00".repeat(32) } } })),
    MALFORMED(/not 48 bytes/),
  );
  assert.throws(() => readTpmEvidence(Buffer.from('{"quote":"AA","quote":"AA"}')), MALFORMED(/duplicate|twice|key/i));
  assert.throws(() => readTpmEvidence(Buffer.from("{")), MALFORMED(/expected a string/));
});

test("a go-tpm-tools attestation is read as its quote over SHA-256", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const evidence = readTpmEvidence(tpmFile("gce-go-tpm-tools/gce-cos-85-nonce9009.pb"));
  assert.deepEqual([...evidence.registers.keys()], [0x0b]);
  assert.equal(evidence.registers.get(0x0b)?.size, 24);
  assert.equal(evidence.eventLog?.length, 23_970);
  assert.match(new X509Certificate(evidence.certificates[0] ?? new Uint8Array()).issuer, /tpm_ek_v1_cloud_host-signer/);
});

test("a go-tpm-tools attestation with a part given twice, or without a quote, is refused", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const file = tpmFile("gce-go-tpm-tools/gce-cos-85-nonce9009.pb");
  assert.throws(() => readTpmEvidence(Buffer.concat([file, Buffer.of(0x1a, 1, 0)])), MALFORMED(/there twice/));
  assert.throws(() => readTpmEvidence(Buffer.of(0x0a, 1, 0)), MALFORMED(/no quote/));
});

test("the PCR file of tpm2-tools is read in the order of its selection", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const { registers } = readTpmEvidence(tpmFile("azure-trusted-launch-cmcp/quote.msg"), [
    tpmFile("azure-trusted-launch-cmcp/pcrs.bin"),
  ]);
  const values = registers.get(0x0b);
  assert.deepEqual([...(values?.keys() ?? [])], [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(
    toHex(values?.get(0) ?? new Uint8Array()),
    "8849319b4a72d4cfea4829364fffce925f59d3285bbde74878f3dbc3a6c85380",
  );
});

test("an attached file is told by its bytes", async () => {
  const { quote } = sampleEvidence(KEY, VALUES);
  const kindOf = (bytes: Uint8Array): string => {
    const { signature, attestationKey, certificates, eventLog } = readTpmEvidence(quote, [bytes]);
    return signature === undefined
      ? attestationKey === undefined
        ? eventLog === undefined
          ? `${certificates.length} certificates`
          : "log"
        : "key"
      : "signature";
  };
  const rsa = sampleKey("rsassa");
  const { der } = await issue({ subject: "CN=key" });
  const pem = (label: string, bytes: Uint8Array): Uint8Array =>
    Buffer.from(`-----BEGIN ${label}-----\n${Buffer.from(bytes).toString("base64")}\n-----END ${label}-----\n`);
  for (const bytes of [
    plainSignature(KEY, quote),
    sign("sha256", quote, KEY.privateKey),
    plainSignature(rsa, quote),
    sampleEvidence(KEY, VALUES).signature ?? new Uint8Array(),
    sampleEvidence(rsa, VALUES).signature ?? new Uint8Array(),
  ])
    assert.equal(kindOf(bytes), "signature");
  for (const key of [KEY, rsa]) {
    const area = samplePublicArea(key, ATTESTATION_KEY_ATTRIBUTES);
    for (const bytes of [key.spki, pem("PUBLIC KEY", key.spki), area, sized(area)]) assert.equal(kindOf(bytes), "key");
  }
  assert.equal(kindOf(der), "1 certificates");
  assert.equal(kindOf(Buffer.concat([pem("CERTIFICATE", der), pem("CERTIFICATE", der)])), "2 certificates");
  assert.equal(kindOf(buildLog(SEPARATORS)), "log");
  assert.throws(() => kindOf(Buffer.from("neither of these")), MALFORMED(/neither a signature, key, certificate/));
});

test("a certificate is taken out of the NV index it stands in, and of nothing else", async () => {
  const { quote } = sampleEvidence(KEY, VALUES);
  const { der } = await issue({ subject: "CN=key" });
  const index = Uint8Array.from([...der, ...new Uint8Array(4096 - der.length)]);
  const pem = (bytes: Uint8Array): Uint8Array =>
    Buffer.from(`-----BEGIN CERTIFICATE-----\n${Buffer.from(bytes).toString("base64")}\n-----END CERTIFICATE-----\n`);
  for (const bytes of [der, index, pem(index), Buffer.concat([pem(index), new Uint8Array(3)])])
    assert.deepEqual(readTpmEvidence(quote, [bytes]).certificates, [der]);
  assert.deepEqual(readTpmEvidence(quote, [Buffer.concat([pem(index), pem(der)])]).certificates, [der, der]);
  assert.deepEqual(
    readTpmEvidence(quote, [Uint8Array.from([...KEY.spki, ...new Uint8Array(400)])]).attestationKey,
    Uint8Array.from(KEY.spki),
  );
  const other = index.with(4095, 1);
  assert.throws(() => readTpmEvidence(quote, [pem(other)]), MALFORMED(/bytes too many/));
  assert.throws(() => readTpmEvidence(quote, [pem(index.subarray(0, der.length - 1))]), MALFORMED(/truncated/));
  // What is no certificate is handed on as a key, for the reader of keys to refuse.
  assert.deepEqual(readTpmEvidence(quote, [other]).attestationKey, other);
  assert.throws(() => parseAttestationKey(other), { code: "EVIDENCE_MALFORMED" });
});

test("a thing is attached once, and not too many", () => {
  const { quote, signature = new Uint8Array() } = sampleEvidence(KEY, VALUES);
  assert.throws(() => readTpmEvidence(quote, [signature, signature]), MALFORMED(/two of signature/));
  assert.throws(() => readTpmEvidence(quote, [KEY.spki, KEY.spki]), MALFORMED(/two of attestationKey/));
  assert.throws(
    () =>
      readTpmEvidence(
        quote,
        Array.from({ length: 17 }, () => signature),
      ),
    MALFORMED(/17 attached files/),
  );
});

test("a PCR file is attached once, and its parts must fit", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const { quote } = sampleEvidence(KEY, VALUES);
  const file = tpmFile("azure-trusted-launch-cmcp/pcrs.bin");
  assert.throws(() => readTpmEvidence(quote, [file, file]), MALFORMED(/two of registers/));
  const changed = (at: number, byte: number): Uint8Array => {
    const copy = Uint8Array.from(file);
    copy[at] = byte;
    return copy;
  };
  assert.throws(() => readTpmEvidence(quote, [changed(7, 0xfe)]), MALFORMED(/8 values for 7 registers/));
  assert.throws(() => readTpmEvidence(quote, [changed(4, 0x0c)]), MALFORMED(/another length/));
  assert.throws(() => readTpmEvidence(quote, [changed(136, 9)]), MALFORMED(/a list of 9 values/));
  assert.throws(() => readTpmEvidence(quote, [changed(132, 2)]), MALFORMED(/truncated/));
});

test("what begins as no form of evidence is refused at once", () => {
  for (const bytes of [new Uint8Array(), Uint8Array.of(0xff, 0x54, 0x43), Buffer.from("HCLA"), buildLog(SEPARATORS)])
    assert.throws(() => readTpmEvidence(bytes), MALFORMED(/neither JSON/));
  const { quote } = sampleEvidence(KEY, VALUES);
  for (const bytes of [quote, sized(quote)]) assert.deepEqual(readTpmEvidence(bytes).quote, bytes);
});

test("too many certificates are refused", async () => {
  const { der } = await issue({ subject: "CN=key" });
  const document = evidenceDocument({
    ...sampleEvidence(KEY, VALUES),
    certificates: Array.from({ length: 16 }, () => der),
  });
  assert.equal(readTpmEvidence(json(document)).certificates.length, 16);
  assert.throws(() => readTpmEvidence(json(document), [der]), MALFORMED(/17 certificates/));
});

test("random files and mutated ones are read or refused, never anything else", () => {
  const document = json(evidenceDocument(sampleEvidence(KEY, VALUES)));
  const settled = (file: Uint8Array, attachments: readonly Uint8Array[] = []): void => {
    try {
      assert.ok(readTpmEvidence(file, attachments).quote instanceof Uint8Array);
    } catch (thrown) {
      assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED", String(thrown));
    }
  };
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(fc.property(bytes, fc.array(bytes, { maxLength: 3 }), settled));
  fc.assert(fc.property(bytes, (tail) => settled(Buffer.concat([Buffer.of(0x0a), tail]))));
  fc.assert(
    fc.property(fc.nat(document.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const changed = Uint8Array.from(document);
      changed[at] = byte;
      settled(changed);
    }),
  );
});

test("mutated attestations of go-tpm-tools are read or refused", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const file = tpmFile("gce-go-tpm-tools/gce-cos-85-nonce9009.pb");
  fc.assert(
    fc.property(fc.nat(4096), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const changed = Uint8Array.from(file);
      changed[at] = byte;
      try {
        assert.ok(readTpmEvidence(changed).quote instanceof Uint8Array);
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED", String(thrown));
      }
    }),
  );
});
