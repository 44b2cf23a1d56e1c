import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { describeAzureCvmEvidence } from "./describe.ts";
import { parseHclReport } from "./hcl-report.ts";
import { readAzureCvmEvidence } from "./read-evidence.ts";
import { parseRuntimeData } from "./runtime-data.ts";
import { azureEvidenceOf } from "../evidence/parts.ts";
import { azureEvidenceDocument, type AzureParts } from "./testing/evidence-document.ts";
import { azureFile, genuineBundles, asVersion2 } from "./testing/genuine.ts";

const MALFORMED = (message: RegExp) => ({ code: "EVIDENCE_MALFORMED", message });
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const KEY = { kid: "HCLAkPub", kty: "RSA", e: "AQAB", n: Buffer.alloc(256, 0xc1).toString("base64url") };

test("the JSON form of collected evidence is read back as it was written", () => {
  const tpm = {
    quote: { attest: Uint8Array.of(1), signature: Uint8Array.of(2) },
    keyQuote: { attest: Uint8Array.of(3), signature: Uint8Array.of(4) },
    attestationKey: Uint8Array.of(5),
    certificates: [Uint8Array.of(6)],
    bank: 0x0b,
    registers: new Map([[0, new Uint8Array(32)]]),
    eventLog: Uint8Array.of(7),
  };
  const parts: AzureParts = {
    provider: "azure-cvm",
    hclReport: Uint8Array.of(8),
    tdQuote: Uint8Array.of(9),
    certificates: [Uint8Array.of(10)],
    tpm,
  };
  assert.deepEqual(readAzureCvmEvidence(json(azureEvidenceDocument(parts))), azureEvidenceOf(parts));
  const least: AzureParts = { ...parts, tdQuote: null, certificates: [], tpm: { ...tpm, eventLog: null } };
  assert.deepEqual(readAzureCvmEvidence(json(azureEvidenceDocument(least))), azureEvidenceOf(least));
});

test("JSON of another form is refused with what is wrong", () => {
  assert.throws(() => readAzureCvmEvidence(json({ hcl_report: "AA", quote: "AA" })), MALFORMED(/signature/));
  assert.throws(
    () => readAzureCvmEvidence(json({ hcl_report: "*", quote: "AA", signature: "AA" })),
    MALFORMED(/not base64/),
  );
  assert.throws(
    () => readAzureCvmEvidence(json({ hcl_report: "AA", quote: "AA", signature: "AA", pcrs: { sha256: { 0: "00" } } })),
    MALFORMED(/not 32 bytes/),
  );
  assert.throws(() => readAzureCvmEvidence(Buffer.from("{")), MALFORMED(/expected a string/));
  for (const bytes of [new Uint8Array(), Buffer.from("HCL"), Uint8Array.of(0xff, 0x54, 0x43, 0x47)])
    assert.throws(() => readAzureCvmEvidence(bytes), MALFORMED(/neither JSON nor/));
});

test("a raw report takes quote, signature, certificates and TDX quote from files of their own", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const folder = "trustee-az-snp-vtpm";
  const quote = azureFile(`${folder}/tpm-quote.msg`);
  const evidence = readAzureCvmEvidence(azureFile(`${folder}/hcl-report.bin`), [
    quote,
    azureFile(`${folder}/tpm-quote.sig`),
    azureFile(`${folder}/vcek.pem`),
    azureFile("trustee-az-tdx-vtpm/td-quote.bin"),
  ]);
  assert.deepEqual(
    [evidence.quote?.length, evidence.signature?.length, evidence.certificates.length, evidence.tdQuote?.length],
    [122, 256, 3, 5006],
  );
  assert.throws(
    () => readAzureCvmEvidence(azureFile(`${folder}/hcl-report.bin`), [quote, quote]),
    MALFORMED(/two quotes/),
  );
  assert.throws(
    () =>
      readAzureCvmEvidence(
        azureFile(`${folder}/hcl-report.bin`),
        Array.from({ length: 17 }, () => quote),
      ),
    MALFORMED(/17 attached files/),
  );
});

test("every genuine report is taken apart, and no byte of its lengths and types may change", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const [path, kind] of [
    ["kinvolk/hcl-report-snp.bin", "sev-snp"],
    ["kinvolk/hcl-report-tdx.bin", "tdx"],
    ["trustee-az-snp-vtpm/hcl-report.bin", "sev-snp"],
    ["agent-manifest/azure_hcl_report_redacted.bin", "sev-snp"],
  ] as const) {
    const bytes = azureFile(path);
    const report = parseHclReport(bytes);
    assert.equal(report.kind, kind);
    assert.match(new TextDecoder().decode(report.runtimeData), /^\{"keys":\[\{"kid":"HCLAkPub".*\}$/);
    for (const at of [0, 3, 4, 8, 9, 0x4c0, 0x4c4, 0x4c8, 0x4cc, 0x4d0, bytes.length - 1])
      assert.throws(() => parseHclReport(bytes.with(at, 0x7f)), { code: "EVIDENCE_MALFORMED" }, `${path} byte ${at}`);
  }
});

test("request data of either version is read, and of no other", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const path of ["kinvolk/hcl-report-snp.bin", "kinvolk/hcl-report-tdx.bin"]) {
    const bytes = azureFile(path);
    assert.deepEqual(parseHclReport(asVersion2(bytes)), parseHclReport(bytes));
    for (const version of [0, 3])
      assert.throws(
        () => parseHclReport(bytes.with(0x4c4, version)),
        MALFORMED(new RegExp(`request data of version ${version} is unknown`)),
      );
    assert.throws(() => parseHclReport(bytes.with(0x4c4, 2)), MALFORMED(/lengths contradict/));
    assert.throws(() => parseHclReport(asVersion2(bytes).with(0x4c4, 1)), MALFORMED(/lengths contradict/));
  }
});

test("the attestation key is the one key of that name, an RSA key of 2048 bits or more", () => {
  const refused = (value: unknown, code = "EVIDENCE_MALFORMED"): void =>
    assert.throws(() => parseRuntimeData(json(value)), { code });
  assert.equal(
    parseRuntimeData(json({ keys: [KEY, { ...KEY, kid: "HCLEkPub" }], "user-data": "00" })).attestationKey.kind,
    "rsa",
  );
  refused({ keys: [KEY, KEY] });
  refused({ keys: [{ ...KEY, kid: "HCLEkPub" }] });
  refused({ keys: [{ ...KEY, kty: "EC" }] });
  refused({ keys: [{ ...KEY, n: "*" }] });
  refused({ keys: [{ ...KEY, n: Buffer.alloc(128, 0xc1).toString("base64url") }] }, "EVIDENCE_POLICY_VIOLATION");
  refused({ keys: [KEY], "user-data": "0" });
  assert.throws(() => parseRuntimeData(Buffer.from(`{"keys":[${JSON.stringify(KEY)}],"keys":[]}`)), {
    code: "EVIDENCE_MALFORMED",
  });
});

test("random files are read or refused, never anything else", () => {
  const settled = (file: Uint8Array, attachments: readonly Uint8Array[]): void => {
    try {
      assert.ok(readAzureCvmEvidence(file, attachments).certificates.length >= 0);
    } catch (thrown) {
      assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED", String(thrown));
    }
  };
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(fc.property(bytes, fc.array(bytes, { maxLength: 3 }), settled));
});

test("evidence of every form reads as its parts", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const { name, evidence } of genuineBundles()) {
    const rows = describeAzureCvmEvidence(evidence);
    const value = (label: string): string | undefined => rows.find((row) => row.label === label)?.value;
    assert.equal(value("runtime attestation key"), "RSA 2048", name);
    assert.match(value("clock") ?? "", /resets/);
    assert.match(value("runtime user data") ?? "", /^none$|[1-9a-fA-F]/, "zeros are none");
    assert.ok(rows.some(({ label }) => label.startsWith("paravisor ")));
    assert.ok(
      rows.every((row) => !row.value.startsWith("unreadable")),
      name,
    );
  }
  assert.match(
    describeAzureCvmEvidence({ paravisor: { hclReport: Uint8Array.of(1) }, certificates: [], registers: new Map() })[0]
      ?.value ?? "",
    /unreadable/,
  );
});
