import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { before, describe, test } from "node:test";
import { preset, readEvidenceFile, type EvidenceFile } from "@cmcp/appraise";
import { canonicalBytes, CmcpError, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import type { Claim } from "@cmcp/claim";
import { Machine, signedReport, TCB } from "../../appraise/src/sev-snp/testing/machine.ts";
import type { Issued } from "../../appraise/src/testing/authority.ts";
import type { ExpectedLaunch } from "./claim/launch-terms.ts";
import type { Expectations } from "./expectations.ts";
import { hardwareSession, MEASUREMENT, type HardwareSession, type SessionOptions } from "./testing/hardware-session.ts";
import { Instance } from "./testing/instance.ts";
import { CATALOG_HASH, EXPECTED, POLICY_HASH, altered, failures } from "./testing/session.ts";
import type { Verdict } from "./verdict.ts";
import { verifyClaim } from "./verify-claim.ts";

const LAUNCH_DOCUMENT = new TextEncoder().encode('{"v":1}');
const LAUNCH_DIGEST = createHash("sha256").update(LAUNCH_DOCUMENT).digest();
/** The document with its meaning: reading one is the command line's, and tried there. */
const LAUNCH: ExpectedLaunch = {
  document: LAUNCH_DOCUMENT,
  read: () => ({
    development: false,
    catalogHash: CATALOG_HASH,
    policyHash: POLICY_HASH,
    versions: new Map([[POLICY_HASH, "1.0.0"]]),
    requireMayFollow: () => undefined,
    requireCatalogMayFollow: () => {
      throw new CmcpError("CATALOG_HASH_MISMATCH", "the launch document lets no other catalog follow");
    },
  }),
};

describe("a claim of a hardware platform", () => {
  let machine: Machine;
  let key: Issued;
  let expected: Expectations;
  before(async () => {
    machine = await Machine.make("Genoa");
    key = await machine.key();
    // A chip's certificates outlive a session by years; the test authority's are valid around its own time.
    expected = {
      ...EXPECTED,
      now: new Date(EXPECTED.now),
      allowSoftwareOnly: false,
      appraisal: { ...preset("strict"), sev_snp: machine.policy() },
      launch: LAUNCH,
      measurements: [MEASUREMENT],
    };
  });

  const session = async (instance = new Instance(), options: SessionOptions = {}): Promise<HardwareSession> =>
    await hardwareSession(machine, key, LAUNCH_DOCUMENT, { instance, ...options });

  async function judge(
    { claim, evidence }: { claim: Claim; evidence?: unknown },
    change: Partial<Expectations> = {},
  ): Promise<Verdict> {
    const file =
      evidence === undefined
        ? {}
        : { evidence: evidence instanceof Uint8Array ? evidence : new TextEncoder().encode(JSON.stringify(evidence)) };
    return await verifyClaim({ claim: canonicalBytes(claim), ...file }, { ...expected, ...change }, webcrypto);
  }

  test("with its evidence, launch document and measurement is accepted, and worth what hardware is", async () => {
    const verdict = await judge(await session());
    assert.deepEqual(
      [failures(verdict), verdict.outcome, verdict.assurance, verdict.origin],
      [[], "accepted", "hardware", "platform evidence"],
    );
  });

  test("without the launch document nothing shows the configuration, whatever else is pinned", async () => {
    const { launch: _, ...bare } = expected;
    const { claim, evidence } = await session(new Instance(), { hostData: new Uint8Array(32) });
    const verdict = await verifyClaim(
      { claim: canonicalBytes(claim), evidence: new TextEncoder().encode(JSON.stringify(evidence)) },
      bare,
      webcrypto,
    );
    assert.ok(failures(verdict).includes("required: launch EVIDENCE_POLICY_VIOLATION"));
    const digest = await verifyClaim(
      { claim: canonicalBytes((await session()).claim) },
      { ...bare, launchDigest: LAUNCH_DIGEST.toString("hex") },
      webcrypto,
    );
    assert.deepEqual(failures(digest), ["platform evidence EVIDENCE_MISSING"]);
  });

  test("authenticity alone never makes a claim acceptable", async () => {
    const debug = await session(new Instance(), { guestPolicy: 0xb_0000n });
    assert.ok(failures(await judge(debug)).some((failure) => failure.endsWith("EVIDENCE_DEBUG")));
    const verdict = await judge(debug, {
      appraisal: { ...preset("authenticity-only"), sev_snp: machine.policy({ authenticity_only: true }) },
    });
    assert.equal(verdict.outcome, "rejected");
    assert.ok(failures(verdict).includes("required: launch EVIDENCE_POLICY_VIOLATION"));
  });

  const attacks: Record<string, { make: () => Promise<{ claim: Claim; evidence?: unknown }>; fails: string }> = {
    "no evidence": {
      make: async () => ({ claim: (await session()).claim }),
      fails: "platform evidence EVIDENCE_MISSING",
    },
    "evidence of another session": {
      make: async () => ({ claim: (await session()).claim, evidence: (await session()).evidence }),
      fails: "report data EVIDENCE_REPORT_DATA_MISMATCH",
    },
    "evidence of another session of the same key": {
      make: async () => {
        const instance = new Instance();
        return { claim: (await session(instance)).claim, evidence: (await session(instance)).evidence };
      },
      fails: "report data EVIDENCE_REPORT_DATA_MISMATCH",
    },
    "truncated evidence": {
      make: async () => {
        const { claim, evidence } = await session();
        return { claim, evidence: new TextEncoder().encode(JSON.stringify(evidence).slice(0, -40)) };
      },
      fails: "evidence file EVIDENCE_MALFORMED",
    },
    "a report with one bit changed": {
      make: async () => {
        const { claim, evidence } = await session();
        assert.ok(evidence.provider === "sev-snp");
        const bytes = Buffer.from(evidence.report, "base64");
        bytes[0x90] = (bytes[0x90] ?? 0) ^ 1;
        return { claim, evidence: { ...evidence, report: bytes.toString("base64") } };
      },
      fails: "signature EVIDENCE_SIGNATURE_INVALID",
    },
    "a machine of another root": {
      make: async () => {
        const { claim, evidence } = await session();
        assert.ok(evidence.provider === "sev-snp");
        const forger = await Machine.make("Genoa");
        const forged = await forger.key({ tcb: TCB.Genoa });
        const reportData = Buffer.from(evidence.report_data, "base64");
        const report = await signedReport("Genoa", forged, {
          fields: [
            [0x50, new Uint8Array(reportData)],
            [0xc0, new Uint8Array(LAUNCH_DIGEST)],
          ],
        });
        const certificates = [forged.der, forger.signing.VCEK.der, forger.root.der].map((der) =>
          Buffer.from(der).toString("base64"),
        );
        return { claim, evidence: { ...evidence, report: Buffer.from(report).toString("base64"), certificates } };
      },
      fails: "VCEK chain EVIDENCE_ROOT_NOT_TRUSTED",
    },
    "another launch document": {
      make: () => session(new Instance(), { hostData: new Uint8Array(32).fill(1) }),
      fails: "launch document EVIDENCE_LAUNCH_NOT_BOUND",
    },
    "half of the report data": {
      make: () =>
        session(new Instance(), {
          reportData: (right) => Uint8Array.from(right, (byte, index) => (index < 32 ? byte : 0)),
        }),
      fails: "report data EVIDENCE_REPORT_DATA_MISMATCH",
    },
    "a claim that names another measurement": {
      make: async () => {
        const instance = new Instance();
        const { claim, evidence } = await session(instance);
        return {
          claim: instance.claim(
            altered(claim, (draft) => (draft.trace.runtime.measurement = `sha384:${"bb".repeat(48)}`)),
          ),
          evidence,
        };
      },
      fails: "measurement in claim EVIDENCE_MEASUREMENT_MISMATCH",
    },
    "a root entry of another chain": {
      make: async () => {
        const { claim, evidence } = await session();
        return { claim, evidence: { ...evidence, root_entry: (await session()).evidence.root_entry } };
      },
      fails: "root entry in evidence CHAIN_ROOT_NOT_BOUND",
    },
    "an evidence file that says it was made for something else": {
      make: async () => {
        const { claim, evidence } = await session();
        return { claim, evidence: { ...evidence, report_data: Buffer.alloc(64).toString("base64") } };
      },
      fails: "report data in evidence file EVIDENCE_REPORT_DATA_MISMATCH",
    },
    "evidence of another platform than the claim names": {
      make: async () => {
        const instance = new Instance();
        const { claim, evidence } = await session(instance);
        return {
          claim: instance.claim(altered(claim, (draft) => (draft.trace.runtime.platform = "intel-tdx"))),
          evidence,
        };
      },
      fails: "evidence platform CLAIM_INCONSISTENT",
    },
  };
  for (const [name, { make, fails }] of Object.entries(attacks)) {
    test(`${name} is not accepted`, async () => {
      const verdict = await judge(await make());
      assert.deepEqual(
        [verdict.outcome, verdict.assurance],
        [fails.endsWith("EVIDENCE_MALFORMED") ? "malformed" : "rejected", "none established"],
      );
      assert.ok(failures(verdict).includes(fails), failures(verdict).join("; "));
    });
  }

  test("an evidence file changed anywhere is the same evidence, or not accepted", async () => {
    const { claim, evidence } = await session();
    const text = JSON.stringify(evidence);
    // Its time is the host's word, and a certificate that is not needed may be anything.
    const told = (file: EvidenceFile): object => ({
      ...file,
      generatedAt: "",
      parts: { ...file.parts, certificates: [] },
    });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length - 1),
        fc.constantFrom("0", "A", "a", "+", "/", "=", '"', "{", "}", "[", "]", ",", ":", " "),
        async (at, character) => {
          const changed = text.slice(0, at) + character + text.slice(at + 1);
          const { outcome } = await judge({ claim, evidence: new TextEncoder().encode(changed) });
          if (outcome === "accepted")
            assert.deepEqual(
              told(readEvidenceFile(untrusted(new TextEncoder().encode(changed)))),
              told(readEvidenceFile(untrusted(new TextEncoder().encode(text)))),
              changed.slice(Math.max(0, at - 20), at + 20),
            );
          else assert.ok(outcome === "rejected" || outcome === "malformed", outcome);
        },
      ),
      { numRuns: 200 },
    );
  });
});
