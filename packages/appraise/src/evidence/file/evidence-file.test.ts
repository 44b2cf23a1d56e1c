import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import type { Evidence, EvidenceParts, TpmParts } from "../evidence.ts";
import { readTpmEvidence } from "../../tpm/read-evidence.ts";
import type { ClaimPlace } from "./schema.ts";
import { readEvidenceFile } from "./read.ts";
import { toBase64, writeEvidenceFile } from "./write.ts";

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
const tpm: TpmParts = {
  quote: { attest: bytes(100, 1), signature: bytes(72, 2) },
  keyQuote: { attest: bytes(101, 3), signature: bytes(73, 4) },
  attestationKey: bytes(88, 5),
  certificates: [bytes(5, 6)],
  bank: 0x000b,
  registers: new Map([
    [0, bytes(32, 7)],
    [15, bytes(32, 8)],
  ]),
  eventLog: bytes(9, 9),
};
const PARTS: readonly EvidenceParts[] = [
  { provider: "software-only" },
  { provider: "sev-snp", report: bytes(1184, 1), certificates: [bytes(3, 2), bytes(4, 3)] },
  { provider: "tdx", quote: bytes(4000, 1), eventLog: null },
  { provider: "tdx", quote: bytes(4000, 1), eventLog: bytes(20, 4) },
  { provider: "tpm", tpm },
  { provider: "tpm", tpm: { ...tpm, eventLog: null, certificates: [] } },
  { provider: "azure-cvm", hclReport: bytes(2600, 1), tdQuote: null, certificates: [bytes(2, 2)], tpm },
  { provider: "azure-cvm", hclReport: bytes(2600, 1), tdQuote: bytes(5000, 3), certificates: [], tpm },
];
const DIGEST = `sha256:${"a".repeat(64)}`;
const HASH = "a".repeat(43);
const PLACE: ClaimPlace = {
  index: 7,
  path: [HASH, HASH],
  note: "note",
  seq: 5,
  body_hash: DIGEST,
  claim_hash: DIGEST,
  signing_key: { kty: "OKP", crv: "Ed25519", x: HASH },
};
const evidence = (parts: EvidenceParts): Evidence => ({
  platform: "tpm2",
  measurement: `sha256:${"0".repeat(64)}`,
  reportData: bytes(64, 0xfe),
  firmware: "f",
  generatedAt: 1_790_000_000_000,
  parts,
});
const file = (value: unknown): ReturnType<typeof readEvidenceFile> =>
  readEvidenceFile(untrusted(new TextEncoder().encode(JSON.stringify(value))));
const MALFORMED = { code: "EVIDENCE_MALFORMED" };

test("what is written is read back, part for part", () => {
  for (const parts of PARTS) {
    const context = {
      binding: { nonce: "n" },
      rootEntry: { sequence_number: 0 },
      launchDocument: bytes(10, 1),
      collateral: [bytes(3, 1)],
      log: PLACE,
    };
    const read = file(writeEvidenceFile(evidence(parts), context));
    assert.deepEqual(read, {
      platform: "tpm2",
      claimedReportData: bytes(64, 0xfe),
      generatedAt: "2026-09-21T14:13:20.000Z",
      parts,
      collateral: context.collateral,
      binding: { nonce: "n" },
      rootEntry: { sequence_number: 0 },
      launchDocument: context.launchDocument,
      log: PLACE,
    });
    const bare = file(writeEvidenceFile(evidence(parts)));
    assert.deepEqual(
      [bare.collateral, bare.binding, bare.rootEntry, bare.launchDocument, bare.log],
      [[], null, null, null, null],
    );
  }
});

test("without the quote for older verifiers the TPM part is what the TPM verifier reads", () => {
  const written = writeEvidenceFile(evidence({ provider: "tpm", tpm }));
  assert.ok(written.provider === "tpm");
  const { key_quote: _, key_signature: __, ...own } = written.tpm;
  assert.deepEqual(readTpmEvidence(new TextEncoder().encode(JSON.stringify(own))), {
    quote: tpm.quote.attest,
    signature: tpm.quote.signature,
    attestationKey: tpm.attestationKey,
    certificates: tpm.certificates,
    registers: new Map([[tpm.bank, tpm.registers]]),
    eventLog: tpm.eventLog,
  });
});

test("base64 is that of RFC 4648 section 10", () => {
  const text = new TextEncoder();
  for (const [plain, encoded] of [
    ["", ""],
    ["f", "Zg=="],
    ["fo", "Zm8="],
    ["foo", "Zm9v"],
    ["foob", "Zm9vYg=="],
  ] as const)
    assert.equal(toBase64(text.encode(plain)), encoded);
  assert.equal(toBase64(Uint8Array.from([0xfb, 0xff])), "+/8=");
});

test("a file with a member too many, too few or of another kind is refused", () => {
  const good = writeEvidenceFile(evidence({ provider: "sev-snp", report: bytes(1184, 1), certificates: [] }));
  const { report: _, ...without } = good as Record<string, unknown>;
  const refused: readonly unknown[] = [
    null,
    [],
    "text",
    without,
    { ...good, extra: 1 },
    { ...good, format: "cmcp-evidence-v2" },
    { ...good, provider: "opaque" },
    { ...good, provider: "tdx" },
    { ...good, platform: "sgx" },
    { ...good, report: "***" },
    { ...good, report: "" },
    { ...good, certificates: Array.from({ length: 17 }, () => "AA==") },
    { ...good, root_entry: [] },
    { ...good, generated_at: "yesterday" },
    { ...good, event_log: null },
  ];
  for (const value of refused) assert.throws(() => file(value), MALFORMED, JSON.stringify(value).slice(0, 80));
  assert.throws(
    () =>
      readEvidenceFile(
        untrusted(new TextEncoder().encode('{"format":"cmcp-evidence-v1","format":"cmcp-evidence-v1"}')),
      ),
    MALFORMED,
  );
  assert.throws(
    () => writeEvidenceFile({ ...evidence({ provider: "tdx", quote: new Uint8Array(), eventLog: null }) }),
    { code: "INTERNAL" },
  );
});

test("any file is evidence or a typed refusal", () => {
  const written = PARTS.map((parts) => JSON.stringify(writeEvidenceFile(evidence(parts))));
  const mutated = fc
    .tuple(fc.constantFrom(...written), fc.nat(), fc.string({ minLength: 1, maxLength: 3 }))
    .map(([text, at, piece]) => text.slice(0, at % text.length) + piece + text.slice((at % text.length) + 1));
  fc.assert(
    fc.property(fc.oneof(mutated, fc.json(), fc.string()), (text) => {
      try {
        readEvidenceFile(untrusted(new TextEncoder().encode(text)));
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED");
      }
    }),
  );
});

test("a claim's place in the log is bounded, and has no other members", () => {
  const written = writeEvidenceFile(evidence({ provider: "software-only" }), { log: PLACE });
  const changes: readonly object[] = [
    { path: Array.from({ length: 49 }, () => HASH) },
    { path: ["a"] },
    { note: "n".repeat(4097) },
    { index: -1 },
    { index: 2 ** 53 },
    { seq: 0.5 },
    { body_hash: "sha256:" },
    { claim_hash: DIGEST.slice(7) },
    { signing_key: { kty: "OKP", crv: "Ed25519", x: "a" } },
    { signing_key: null },
    { leaf: "" },
  ];
  for (const change of changes)
    assert.throws(
      () => file({ ...written, log: { ...PLACE, ...change } }),
      MALFORMED,
      JSON.stringify(change).slice(0, 80),
    );
  for (const name of ["index", "path", "note", "seq", "body_hash", "claim_hash"] as const) {
    const { [name]: _, ...rest } = PLACE;
    assert.throws(() => file({ ...written, log: rest }), MALFORMED, name);
  }
  const { signing_key: _, ...own } = PLACE;
  assert.deepEqual(file({ ...written, log: own }).log, own);
});
