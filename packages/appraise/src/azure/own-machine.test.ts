/** Azure's chain on machines of our own making, so that each link can be another. */
import assert from "node:assert/strict";
import { createHash, createPublicKey, webcrypto } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { NOW } from "../testing/authority.ts";
import { AT, Machine, signedReport } from "../sev-snp/testing/machine.ts";
import { makeCollateral, makeQuote, ROOT_KEY_SHA256 } from "../tdx/testing/platform.ts";
import { sampleEvidence, sampleKey } from "../tpm/testing/sample-quote.ts";
import type { AzureCvmEvidence } from "./evidence.ts";
import { azureCvmPolicySchema } from "./policy.ts";
import { verifyAzureCvm, type AzureCvmInput } from "./verify.ts";

const NONCE = new Uint8Array(64).fill(3);
const USER_DATA = "ab".repeat(64);
const machine = await Machine.make("Genoa");
const key = await machine.key();
const attestationKey = sampleKey("rsassa");
const registers = new Map(Array.from({ length: 24 }, (_, register) => [register, new Uint8Array(32)] as const));
const vtpm = sampleEvidence(attestationKey, registers, { extraData: NONCE });
const { e, n } = createPublicKey(attestationKey.privateKey).export({ format: "jwk" });
const runtimeData = Buffer.from(
  JSON.stringify({ keys: [{ kid: "HCLAkPub", kty: "RSA", e, n }], "user-data": USER_DATA }),
);
/** What the hardware is to report of the runtime data. */
const bound = (data: Uint8Array): Uint8Array =>
  Uint8Array.from(Buffer.concat([createHash("sha256").update(data).digest(), Buffer.alloc(32)]));

const { certificates: _, attestationKey: __, ...quoted } = vtpm;
const policy = azureCvmPolicySchema.parse({
  sev_snp: machine.policy(),
  tdx: { trust_anchors: [ROOT_KEY_SHA256] },
});

async function snpEvidence(reportData = bound(runtimeData)): Promise<AzureCvmEvidence> {
  const snpReport = await signedReport("Genoa", key, { fields: [[AT.reportData, reportData]] });
  const certificates = [key.der, machine.signing.VCEK.der, machine.root.der];
  return { paravisor: { snpReport, runtimeData }, certificates, ...quoted };
}

/** An HCL report around an empty TDREPORT: the quote of the hardware is given beside it. */
function tdxReport(): Uint8Array {
  const bytes = Buffer.alloc(32 + 1184 + 20);
  bytes.write("HCLA");
  bytes.writeUInt32LE(2, 4);
  bytes.writeUInt32LE(bytes.length + runtimeData.length, 8);
  for (const [index, value] of [20 + runtimeData.length, 1, 4, 1, runtimeData.length].entries())
    bytes.writeUInt32LE(value, 1216 + 4 * index);
  return Uint8Array.from(Buffer.concat([bytes, runtimeData]));
}

async function tdxEvidence(reportData = bound(runtimeData)): Promise<AzureCvmEvidence> {
  const tdQuote = await makeQuote({ body: { 520: reportData } });
  return { paravisor: { hclReport: tdxReport() }, tdQuote, certificates: [], ...quoted };
}

async function verify(evidence: AzureCvmEvidence, more: Partial<AzureCvmInput> = {}) {
  const collateral = [await makeCollateral()];
  const { verified, checks } = await verifyAzureCvm(
    { evidence, collateral, reportData: NONCE, ...more },
    policy,
    NOW,
    webcrypto,
  );
  const failed = checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code}`);
  return { verified, failed, check: (name: string) => checks.find((one) => one.name === name) };
}

test("a sound chain over either hardware is verified, and says what it found", async () => {
  for (const [evidence, kind] of [
    [await snpEvidence(), "sev-snp"],
    [await tdxEvidence(), "tdx"],
  ] as const) {
    const { verified, failed } = await verify(evidence);
    assert.deepEqual(failed, [], kind);
    assert.ok(verified !== null);
    assert.deepEqual(
      [verified.platform, verified.paravisor.kind, verified.userData, verified.qualifyingData],
      ["azure-cvm", kind, USER_DATA, NONCE],
    );
    assert.equal(verified.attestationKeySha256, createHash("sha256").update(attestationKey.spki).digest("hex"));
    assert.equal(verified.registers?.get(0x0b)?.size, 24);
  }
});

test("the hardware's report data is that of the runtime data, and zeros", async () => {
  const other = bound(Buffer.from("{}"));
  for (const reportData of [other, bound(runtimeData).with(63, 1), bound(runtimeData).with(0, 1)])
    for (const evidence of [await snpEvidence(reportData), await tdxEvidence(reportData)]) {
      const { verified, failed } = await verify(evidence);
      assert.equal(verified, null);
      assert.ok(failed.includes("runtime data binding: EVIDENCE_REPORT_DATA_MISMATCH"), failed.join());
    }
});

test("each part that is another's, or is not there, fails at its own link", async () => {
  const evidence = await snpEvidence();
  const stranger = sampleEvidence(sampleKey("rsassa"), registers, { extraData: NONCE });
  const { tdQuote: ___, ...unsigned } = await tdxEvidence();
  const { quote: ____, ...unquoted } = evidence;
  for (const [changed, failure] of [
    [{ ...evidence, certificates: [] }, "paravisor VCEK chain: EVIDENCE_CHAIN_INVALID"],
    [{ ...evidence, signature: stranger.signature ?? new Uint8Array() }, "quote signature: EVIDENCE_SIGNATURE_INVALID"],
    [
      { ...evidence, ...stranger, certificates: evidence.certificates },
      "attestation key binding: EVIDENCE_CHAIN_INVALID",
    ],
    [{ ...evidence, quote: new Uint8Array() }, "quote format: EVIDENCE_MALFORMED"],
    [{ ...evidence, paravisor: { hclReport: new Uint8Array() } }, "HCL report format: EVIDENCE_MALFORMED"],
    [unquoted, "quote signature: EVIDENCE_SIGNATURE_INVALID"],
    [unsigned, "paravisor quote: EVIDENCE_SIGNATURE_INVALID"],
  ] as const) {
    const { verified, failed, check } = await verify(changed);
    assert.equal(verified, null, failure);
    assert.ok(failed.includes(failure), `${failure} among ${failed.join()}`);
    assert.equal(check("appraisal")?.status, "not-performed", failure);
  }
});

test("a measurement of 48 bytes is of the paravisor, a shorter one of the registers", async () => {
  const evidence = await snpEvidence();
  const { verified } = await verify(evidence);
  assert.ok(verified !== null && verified.paravisor.kind === "sev-snp");
  const [paravisor, image] = [toHex(verified.paravisor.report.measurement), toHex(verified.measurement)];
  for (const [measurements, failed] of [
    [[paravisor, image], []],
    [[paravisor], []],
    [[image], []],
    [["00".repeat(48), image], ["paravisor measurement: EVIDENCE_MEASUREMENT_MISMATCH"]],
    [[paravisor, "00".repeat(32)], ["measurement: EVIDENCE_MEASUREMENT_MISMATCH"]],
  ] as const)
    assert.deepEqual((await verify(evidence, { measurements })).failed, failed, measurements.join());
});
