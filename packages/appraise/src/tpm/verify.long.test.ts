import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Check } from "../checks/check.ts";
import { bytesEqual } from "@cmcp/boundary";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { parseTpmQuote } from "./quote.ts";
import type { TpmEvidence } from "./evidence.ts";
import { tpmPolicySchema } from "./policy.ts";
import { readTpmEvidence } from "./read-evidence.ts";
import { genuineQuotes, tpmFile, type GenuineQuote } from "./testing/genuine.ts";
import { verifyTpm } from "./verify.ts";

type Result = Awaited<ReturnType<typeof verifyTpm>>;

async function verify(genuine: GenuineQuote, evidence: TpmEvidence = genuine.evidence): Promise<Result> {
  return await verifyTpm({ evidence, reportData: genuine.reportData }, genuine.policy, genuine.at, webcrypto);
}

const failures = (checks: readonly Check[]): string[] =>
  checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code ?? ""}`);

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

test("every genuine quote verifies at a time at which it was valid", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const genuine of genuineQuotes()) {
    const { verified, checks } = await verify(genuine);
    // The registers of the trustee sample are those of a TPM simulator that nothing booted; it has no log.
    assert.deepEqual(failures(checks), [], genuine.name);
    assert.ok(verified !== null, genuine.name);
    for (const name of ["quote format", "quote signature", "report data", "PCR selection"])
      assert.equal(checks.find((check) => check.name === name)?.status, "passed", `${genuine.name}: ${name}`);
  }
});

test("the quote of a Google machine proves its registers, and its log leads to them", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const google = genuineQuotes().find(({ name }) => name.startsWith("google"));
  assert.ok(google !== undefined);
  const { verified, checks } = await verify(google);
  assert.equal(verified?.registers?.get(0x0b)?.size, 24);
  for (const name of [
    "PCR digest",
    "event log",
    "event log separators",
    "boot services",
    "attestation key restrictions",
  ])
    assert.equal(checks.find((check) => check.name === name)?.status, "passed", name);
});

test("no quote verifies with one bit of it changed", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const genuine of genuineQuotes()) {
    for (let bit = 0; bit < 8 * genuine.evidence.quote.length; bit += 1) {
      const { verified, checks } = await verify(genuine, {
        ...genuine.evidence,
        quote: flipped(genuine.evidence.quote, bit),
      });
      assert.ok(verified === null && failures(checks).length > 0, `${genuine.name} bit ${bit}`);
    }
  }
});

test("no quote verifies with one bit of its signature or key changed", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const genuine of genuineQuotes()) {
    const { signature = new Uint8Array(), attestationKey = new Uint8Array() } = genuine.evidence;
    for (let bit = 0; bit < 8 * signature.length; bit += 1) {
      const { verified } = await verify(genuine, { ...genuine.evidence, signature: flipped(signature, bit) });
      assert.equal(verified, null, `${genuine.name} signature bit ${bit}`);
    }
    for (let bit = 0; bit < 8 * attestationKey.length; bit += 1) {
      const { verified, checks } = await verify(genuine, {
        ...genuine.evidence,
        attestationKey: flipped(attestationKey, bit),
      });
      // A public area says things about the key that are not part of it; those of them that matter fail their own check.
      const harmless =
        verified !== null && failures(checks).every((failure) => failure.startsWith("attestation key restrictions"));
      assert.ok(verified === null || harmless, `${genuine.name} key bit ${bit}`);
    }
  }
});

test("a register value with one bit changed is no longer proven", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const genuine of genuineQuotes()) {
    for (const [bankId, values] of genuine.evidence.registers) {
      for (const [register, value] of values) {
        const changed = new Map([[bankId, new Map([...values, [register, flipped(value, 5)]])]]);
        const { verified, checks } = await verify(genuine, { ...genuine.evidence, registers: changed });
        assert.deepEqual(
          failures(checks),
          ["PCR digest: EVIDENCE_SIGNATURE_INVALID"],
          `${genuine.name} PCR ${register}`,
        );
        assert.equal(verified?.registers, null);
      }
    }
  }
});

test("nothing of one genuine quote can stand in another", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const all = genuineQuotes();
  // The simulator items share their nonce, and their registers are zero as those of the TPM in the trustee item.
  const different = (left: Uint8Array, right: Uint8Array): boolean => !bytesEqual(left, right);
  const selected = (item: GenuineQuote, evidence: TpmEvidence): Uint8Array =>
    Buffer.concat(
      parseTpmQuote(item.evidence.quote).selections.flatMap(({ bankId, registers }) =>
        registers.map((register) => evidence.registers.get(bankId)?.get(register) ?? new Uint8Array(32)),
      ),
    );
  for (const into of all) {
    for (const from of all) {
      if (into === from) continue;
      for (const part of ["quote", "signature"] as const) {
        const { verified } = await verify(into, { ...into.evidence, [part]: from.evidence[part] });
        assert.equal(verified, null, `${part} of ${from.name} in ${into.name}`);
      }
      if (from.evidence.registers.size > 0 && different(selected(into, into.evidence), selected(into, from.evidence))) {
        const { checks } = await verify(into, { ...into.evidence, registers: from.evidence.registers });
        assert.deepEqual(
          failures(checks),
          ["PCR digest: EVIDENCE_SIGNATURE_INVALID"],
          `registers of ${from.name} in ${into.name}`,
        );
      }
      if (different(into.reportData, from.reportData)) {
        const { checks } = await verify({ ...into, reportData: from.reportData });
        assert.deepEqual(
          failures(checks),
          ["report data: EVIDENCE_REPORT_DATA_MISMATCH"],
          `${from.name} in ${into.name}`,
        );
      }
    }
  }
});

test("the two quotes of one machine cannot be mixed, though key and registers are the same", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const google = genuineQuotes().find(({ name }) => name.startsWith("google"));
  assert.ok(google !== undefined);
  const other = readTpmEvidence(tpmFile("gce-go-tpm-tools/gce-cos-85-no-nonce.pb"));
  const { verified, checks } = await verify(google, other);
  assert.ok(verified !== null);
  assert.deepEqual(failures(checks), ["report data: EVIDENCE_REPORT_DATA_MISMATCH"]);
  // A changed nonce never moves a measurement.
  assert.deepEqual(verified.measurement, (await verify(google)).verified?.measurement);
  for (const part of ["quote", "signature"] as const)
    assert.equal((await verify(google, { ...google.evidence, [part]: other[part] })).verified, null);
});

test("genuine quotes that nobody vouches for are rejected", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const strict = tpmPolicySchema.parse({});
  const codes = new Map<string, string[]>();
  for (const genuine of genuineQuotes()) {
    const { verified, checks } = await verify({ ...genuine, policy: strict });
    assert.equal(verified, null, genuine.name);
    codes.set(genuine.name, failures(checks));
  }
  assert.deepEqual(codes.get("ecdsa-sha384"), ["attestation key chain: EVIDENCE_ROOT_NOT_TRUSTED"]);
  assert.deepEqual(codes.get("confidential containers"), ["attestation key binding: EVIDENCE_CHAIN_INVALID"]);
  assert.deepEqual(codes.get("google compute engine"), ["attestation key chain: EVIDENCE_CHAIN_INVALID"]);
});

test("a genuine certificate of another key does not bind the key that signed", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const azure = genuineQuotes().find(({ name }) => name.startsWith("azure"));
  assert.ok(azure !== undefined);
  const certificates = [tpmFile("azure-trusted-launch-cmcp/akcert_0x01C101D0.der")];
  const policy = tpmPolicySchema.parse({});
  const both = await verify({ ...azure, policy }, { ...azure.evidence, certificates });
  assert.deepEqual(failures(both.checks), ["attestation key binding: EVIDENCE_CHAIN_INVALID"]);
  const { attestationKey: _, ...withoutKey } = azure.evidence;
  const alone = await verify({ ...azure, policy }, { ...withoutKey, certificates });
  assert.ok(failures(alone.checks).includes("quote signature: EVIDENCE_SIGNATURE_INVALID"));
});

test("a certificate of an endorsement key binds no attestation key", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const azure = genuineQuotes().find(({ name }) => name.startsWith("azure"));
  assert.ok(azure !== undefined);
  const { attestationKey: _, ...evidence } = azure.evidence;
  for (const [kind, purpose] of [
    ["enc", "failed"],
    ["sign", "passed"],
  ] as const) {
    for (const hierarchy of ["pca", "uca"]) {
      const pem = tpmFile(`gce-go-tpm-tools/certificates/${hierarchy}_tpm_rsa_${kind}_cert.pem`);
      const { checks } = await verify(
        { ...azure, policy: tpmPolicySchema.parse({}) },
        readTpmEvidence(evidence.quote, [pem, tpmFile("azure-trusted-launch-cmcp/quote.sig")]),
      );
      assert.equal(
        checks.find(({ name }) => name === "attestation key certificate")?.status,
        purpose,
        `${hierarchy} ${kind}`,
      );
    }
  }
});

test("an expired certificate of the key is reported", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const [simulator] = genuineQuotes();
  assert.ok(simulator !== undefined);
  const { checks } = await verify({ ...simulator, at: new Date("2036-01-01T00:00:00Z") });
  assert.deepEqual(failures(checks), ["attestation key validity: EVIDENCE_EXPIRED"]);
});

test("authenticity alone is labelled as such and appraises nothing", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const genuine of genuineQuotes()) {
    const policy = { ...genuine.policy, authenticity_only: true };
    const { verified, checks } = await verify({ ...genuine, policy, reportData: new Uint8Array(64) });
    assert.deepEqual(failures(checks), []);
    assert.ok(verified !== null && verified.registers === null);
    for (const name of ["report data", "PCR selection", "event log"])
      assert.deepEqual(
        checks.find((check) => check.name === name),
        { name, status: "not-performed", why: "authenticity only" },
      );
  }
});

test("whatever stands in evidence, verification ends in checks", async () => {
  const bytes = fc.uint8Array({ maxLength: 160 });
  const policy = tpmPolicySchema.parse({});
  await fc.assert(
    fc.asyncProperty(
      bytes,
      fc.option(bytes, { nil: undefined }),
      fc.option(bytes, { nil: undefined }),
      fc.array(bytes, { maxLength: 2 }),
      fc.option(bytes, { nil: undefined }),
      async (quote, signature, attestationKey, certificates, eventLog) => {
        const evidence = {
          quote,
          certificates,
          registers: new Map(),
          ...(signature === undefined ? {} : { signature }),
          ...(attestationKey === undefined ? {} : { attestationKey }),
          ...(eventLog === undefined ? {} : { eventLog }),
        };
        const { verified, checks } = await verifyTpm({ evidence }, policy, new Date(0), webcrypto);
        assert.ok(verified === null && failures(checks).length > 0);
      },
    ),
  );
});
