import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import type { Check } from "../checks/check.ts";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { readStoredQuote } from "../tpm/forms/stored-quote.ts";
import { ATTESTATION_KEY_ATTRIBUTES, sampleKey, samplePublicArea } from "../tpm/testing/sample-quote.ts";
import type { AzureCvmEvidence } from "./evidence.ts";
import { azureCvmPolicySchema, STRICT_AZURE_CVM_POLICY } from "./policy.ts";
import { readAzureCvmEvidence } from "./read-evidence.ts";
import { azureFile, genuineBundles, asVersion2, type GenuineBundle } from "./testing/genuine.ts";
import { verifyAzureCvm, type AzureCvmInput } from "./verify.ts";

type Result = Awaited<ReturnType<typeof verifyAzureCvm>>;

async function verify(
  bundle: GenuineBundle,
  evidence: AzureCvmEvidence = bundle.evidence,
  more: Partial<AzureCvmInput> = {},
): Promise<Result> {
  return await verifyAzureCvm(
    { evidence, reportData: bundle.reportData, ...more },
    STRICT_AZURE_CVM_POLICY,
    bundle.at,
    webcrypto,
  );
}

const failures = (checks: readonly Check[]): string[] =>
  checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code ?? ""}`);
const of = (checks: readonly Check[], name: string): string | undefined =>
  checks.find((check) => check.name === name)?.status;

function bundle(name: string): GenuineBundle {
  const found = genuineBundles().find((one) => one.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

test("every genuine bundle is authentic, and fails only where it is not acceptable", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const genuine of genuineBundles()) {
    const { verified, checks } = await verify(genuine);
    assert.ok(verified !== null, `${genuine.name} ${failures(checks).join("; ")}`);
    assert.deepEqual(failures(checks), genuine.unacceptable, genuine.name);
    for (const name of ["runtime data binding", "attestation key binding", "quote signature", "report data"])
      assert.equal(of(checks, name), "passed", `${genuine.name}: ${name}`);
    assert.ok(checks.some(({ name }) => name.startsWith("paravisor ")));
    assert.match(verified.assurance, /paravisor's virtual TPM/);
  }
});

test("a report whose request data is of the second version is authentic by the same signatures", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const genuine = bundle("SNP on Genoa");
  assert.ok("hclReport" in genuine.evidence.paravisor);
  const { verified, checks } = await verify(genuine, {
    ...genuine.evidence,
    paravisor: { hclReport: asVersion2(genuine.evidence.paravisor.hclReport) },
  });
  assert.ok(verified !== null);
  assert.deepEqual(failures(checks), []);
});

test("registers come from the signed digest, the paravisor's measurement from the signed report", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const { verified } = await verify(bundle("SNP on Genoa"));
  assert.equal(verified?.registers?.get(0x0b)?.size, 24);
  assert.ok(verified.paravisor.kind === "sev-snp" && verified.paravisor.report.product === "Genoa");
  assert.equal(toHex(verified.measurement), "2b30a66d715a7801b86d7912b710838bd3bd8d9aeec7c7135563f938cf8b3399");
});

test("nothing of one bundle can stand in another", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const all = genuineBundles();
  for (const into of all) {
    for (const from of all) {
      if (into === from) continue;
      const { quote, signature, paravisor, registers } = from.evidence;
      // The first two bundles are two quotes of one machine, so that their paravisor reports may be exchanged.
      const sameMachine =
        (await verify(into)).verified?.attestationKeySha256 === (await verify(from)).verified?.attestationKeySha256;
      const swaps = { quote: { quote }, signature: { signature }, paravisor: { paravisor } };
      for (const [part, swap] of Object.entries(swaps)) {
        if (sameMachine && part === "paravisor") continue;
        const { verified } = await verify(into, { ...into.evidence, ...swap } as AzureCvmEvidence);
        assert.equal(verified, null, `${part} of ${from.name} in ${into.name}`);
      }
      if (sameMachine || registers.size === 0 || into.evidence.registers.size === 0) continue;
      const { checks } = await verify(into, { ...into.evidence, registers });
      assert.ok(
        failures(checks).includes("PCR digest: EVIDENCE_SIGNATURE_INVALID"),
        `registers of ${from.name} in ${into.name}`,
      );
    }
  }
});

test("a quote and its key of another machine do not verify beside a genuine report", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const genuine = bundle("SNP, first gateways");
  const stored = readStoredQuote(azureFile("kinvolk/quote.bin"));
  assert.ok(stored !== null);
  // The quote is genuine and signed by the key given; the report names another key.
  const evidence = {
    ...genuine.evidence,
    quote: stored.quote,
    signature: stored.signature,
    attestationKey: azureFile("kinvolk/akpub.pem"),
  };
  const { verified, checks } = await verify(genuine, evidence);
  assert.equal(verified, null);
  assert.deepEqual(failures(checks), ["attestation key binding: EVIDENCE_CHAIN_INVALID"]);
});

test("the public area given beside must be that of a restricted key", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const genuine = bundle("SNP on Genoa");
  const { checks } = await verify(genuine, {
    ...genuine.evidence,
    attestationKey: samplePublicArea(sampleKey("rsassa"), ATTESTATION_KEY_ATTRIBUTES),
  });
  assert.deepEqual(failures(checks), ["attestation key binding: EVIDENCE_CHAIN_INVALID"]);
  assert.equal(of((await verify(genuine)).checks, "attestation key restrictions"), "not-performed");
});

test("a report without its quote, and a redacted one, are rejected with the reason", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const genuine = bundle("SNP on Genoa");
  const outcome = async (evidence: AzureCvmEvidence): Promise<string[]> => {
    const { verified, checks } = await verify(genuine, evidence);
    assert.equal(verified, null);
    return failures(checks);
  };
  const { quote: _, signature: __, ...bare } = genuine.evidence;
  assert.deepEqual(await outcome(bare), ["quote signature: EVIDENCE_SIGNATURE_INVALID"]);
  const { signature: ___, ...unsigned } = genuine.evidence;
  assert.deepEqual(await outcome(unsigned), ["quote signature: EVIDENCE_SIGNATURE_INVALID"]);
  assert.deepEqual(await outcome({ ...genuine.evidence, certificates: [] }), [
    "paravisor VCEK chain: EVIDENCE_CHAIN_INVALID",
  ]);
  assert.deepEqual(await outcome(readAzureCvmEvidence(azureFile("agent-manifest/azure_hcl_report_redacted.bin"))), [
    "paravisor VCEK chain: EVIDENCE_CHAIN_INVALID",
    "paravisor chip: EVIDENCE_POLICY_VIOLATION",
  ]);
  const { tdQuote: ____, ...withoutTdQuote } = bundle("TDX").evidence;
  assert.deepEqual(await outcome(withoutTdQuote), ["paravisor quote: EVIDENCE_SIGNATURE_INVALID"]);
});

test("expected measurements are told apart by their length", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const name of ["SNP on Genoa", "TDX"]) {
    const genuine = bundle(name);
    const { verified } = await verify(genuine);
    assert.ok(verified !== null);
    const paravisor = toHex(
      verified.paravisor.kind === "sev-snp" ? verified.paravisor.report.measurement : verified.paravisor.quote.mrTd,
    );
    const right = await verify(genuine, genuine.evidence, { measurements: [paravisor, toHex(verified.measurement)] });
    assert.deepEqual(failures(right.checks), []);
    assert.equal(of(right.checks, "measurement"), "passed");
    const wrong = await verify(genuine, genuine.evidence, { measurements: ["00".repeat(48), "00".repeat(32)] });
    assert.deepEqual(failures(wrong.checks), [
      `paravisor ${name === "TDX" ? "MRTD" : "measurement"}: EVIDENCE_MEASUREMENT_MISMATCH`,
      "measurement: EVIDENCE_MEASUREMENT_MISMATCH",
    ]);
  }
});

test("a changed challenge fails its own check and never moves a measurement", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const genuine = bundle("SNP, numbered form");
  const first = await verify(genuine);
  const other = await verify(genuine, genuine.evidence, { reportData: new Uint8Array(64).fill(1) });
  assert.deepEqual(failures(other.checks), ["report data: EVIDENCE_REPORT_DATA_MISMATCH"]);
  assert.deepEqual(other.verified?.measurement, first.verified?.measurement);
  // Two quotes of one machine over the same registers, at different times.
  assert.deepEqual((await verify(bundle("SNP, bytes in JSON"))).verified?.measurement, first.verified?.measurement);
});

test("authenticity alone is labelled as such and appraises nothing", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const policy = azureCvmPolicySchema.parse({ authenticity_only: true });
  for (const { name, evidence, at } of genuineBundles()) {
    const { verified, checks } = await verifyAzureCvm(
      { evidence, reportData: new Uint8Array(64) },
      policy,
      at,
      webcrypto,
    );
    assert.deepEqual(failures(checks), [], name);
    assert.ok(verified !== null && verified.registers === null);
    for (const check of ["report data", "PCR selection"])
      assert.deepEqual(
        checks.find((one) => one.name === check),
        { name: check, status: "not-performed", why: "authenticity only" },
      );
  }
});

test("a policy about an event log of the paravisor, which has none, is refused", () => {
  assert.throws(() => azureCvmPolicySchema.parse({ tdx: { event_log: {} } }), /Unrecognized key/);
  assert.deepEqual(
    azureCvmPolicySchema.parse({ vtpm: { event_log: { separators: [0] } } }).vtpm.event_log.separators,
    [0],
  );
});

test("whatever stands in evidence, verification ends in checks", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const genuine = bundle("SNP on Genoa");
  assert.ok("hclReport" in genuine.evidence.paravisor);
  const { hclReport } = genuine.evidence.paravisor;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(hclReport.length - 1),
      fc.integer({ min: 0, max: 255 }),
      fc.uint8Array({ maxLength: 40 }),
      async (at, byte, noise) => {
        for (const paravisor of [
          { hclReport: hclReport.with(at, byte) },
          { hclReport: noise },
          { snpReport: noise, runtimeData: noise },
        ]) {
          const { checks } = await verify(genuine, {
            ...genuine.evidence,
            paravisor,
            quote: noise,
            certificates: [noise],
          });
          assert.ok(failures(checks).length > 0);
        }
      },
    ),
    { numRuns: 50 },
  );
});
