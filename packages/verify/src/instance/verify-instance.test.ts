import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, hash, sign, webcrypto } from "node:crypto";
import { before, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { writeEvidenceFile, type InstanceBinding } from "@cmcp/appraise/evidence";
import { instanceReportData } from "@cmcp/attestation";
import { CmcpError, toBase64Url } from "@cmcp/boundary";
import type { ReceivedInstanceReport } from "@cmcp/claim/schema";
import * as fc from "fast-check";
import { Machine, signedReport } from "../../../appraise/src/sev-snp/testing/machine.ts";
import type { Issued } from "../../../appraise/src/testing/authority.ts";
import { SOFTWARE_FIRMWARE, SOFTWARE_MEASUREMENT } from "../../../appraise/src/software/constants.ts";
import { Instance } from "../testing/instance.ts";
import { MEASUREMENT } from "../testing/hardware-session.ts";
import { CATALOG_HASH, EXPECTED, OTHER_HASH, POLICY_HASH } from "../testing/session.ts";
import { verifyInstance, type InstanceExpectations, type InstanceVerdict } from "./verify-instance.ts";

const DOCUMENT = new TextEncoder().encode('{"v":1}');
const DIGEST = createHash("sha256").update(DOCUMENT).digest();
const NONCE = "0123456789abcdef";
const TLS = toBase64Url(createHash("sha256").update("a client key").digest());
const TERMS = {
  development: false,
  catalogHash: CATALOG_HASH,
  policyHash: POLICY_HASH,
  versions: new Map([[POLICY_HASH, "1.0.0"]]),
  requireMayFollow: () => undefined,
  requireCatalogMayFollow: () => {
    throw new CmcpError("CATALOG_HASH_MISMATCH", "the launch document lets no other catalog follow");
  },
};

/** The prefix that an identity signs, written out. */
const IDENTITY = Buffer.from("cmcp-identity-v1|");

function failures({ checks }: InstanceVerdict): string[] {
  return checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name} ${code}`);
}

describe("an instance's report", () => {
  const instance = new Instance();
  const identity = generateKeyPairSync("ed25519");
  let machine: Machine;
  let key: Issued;
  let expected: InstanceExpectations;
  before(async () => {
    machine = await Machine.make("Genoa");
    key = await machine.key();
    expected = {
      now: EXPECTED.now,
      allowSoftwareOnly: false,
      appraisal: { ...preset("strict"), sev_snp: machine.policy() },
      launch: { document: DOCUMENT, read: () => TERMS },
      measurements: [MEASUREMENT],
      nonce: NONCE,
    };
  });

  const bindingOf = (change: Partial<InstanceBinding> = {}): InstanceBinding => ({
    purpose: "instance-attestation",
    nonce: NONCE,
    keys: { signing: instance.jwk.x, tls: TLS },
    policy_hash: POLICY_HASH,
    catalog_hash: CATALOG_HASH,
    enforcement_mode: "enforcing",
    launch_digest: `sha256:${DIGEST.toString("hex")}`,
    ...change,
  });

  /** A report as a sound instance makes it. */
  async function reportOf(binding = bindingOf(), hostData: Uint8Array = DIGEST): Promise<ReceivedInstanceReport> {
    const reportData = instanceReportData(instance.thumbprint, binding);
    const report = await signedReport(machine.product, key, {
      fields: [
        [0x50, reportData],
        [0xc0, new Uint8Array(hostData)],
      ],
    });
    const certificates = [key, machine.signing.VCEK, machine.signing.VLEK, machine.root].map(({ der }) => der);
    const evidence = {
      platform: "amd-sev-snp",
      measurement: `sha384:${MEASUREMENT}`,
      reportData,
      firmware: "1.55.40",
      generatedAt: EXPECTED.now.getTime(),
      parts: { provider: "sev-snp", report, certificates },
    } as const;
    return {
      binding: { ...binding, keys: { ...binding.keys } },
      evidence: {
        platform: evidence.platform,
        measurement: evidence.measurement,
        firmware: evidence.firmware,
        report_data: toBase64Url(reportData),
        generated_at: EXPECTED.now.toISOString(),
      },
      evidence_file: JSON.parse(JSON.stringify(writeEvidenceFile(evidence, {}))),
    };
  }

  async function judge(report: unknown, change: Partial<InstanceExpectations> = {}): Promise<InstanceVerdict> {
    const bytes = report instanceof Uint8Array ? report : new TextEncoder().encode(JSON.stringify(report));
    return await verifyInstance({ report: bytes }, { ...expected, ...change }, webcrypto);
  }

  test("of a sound machine is accepted, and gives its keys", async () => {
    const verdict = await judge(await reportOf());
    assert.deepEqual(
      [failures(verdict), verdict.outcome, verdict.assurance, verdict.keys],
      [[], "accepted", "hardware", { signing: instance.jwk.x, tls: TLS }],
    );
    assert.equal(verdict.binding?.policy_hash, POLICY_HASH);
    assert.deepEqual([verdict.platform, verdict.measurement], ["amd-sev-snp", `sha384:${MEASUREMENT}`]);
  });

  test("whose keys, nonce, mode or hashes were changed is not what the machine signed", async () => {
    for (const change of [
      { keys: { signing: instance.jwk.x, tls: toBase64Url(new Uint8Array(32)) } },
      { keys: { signing: new Instance().jwk.x, tls: TLS } },
      { nonce: "another-nonce-00" },
      { policy_hash: OTHER_HASH },
      { catalog_hash: OTHER_HASH },
      { launch_digest: OTHER_HASH },
    ]) {
      const sound = await reportOf();
      const binding = { ...sound.binding, ...change };
      const verdict = await judge({ ...sound, binding });
      assert.equal(verdict.keys, null);
      assert.ok(failures(verdict).includes("keys and binding in report data PUBLIC_KEY_NOT_BOUND"));
      const jwk = { ...instance.jwk, x: binding.keys.signing };
      const adapted = {
        ...sound,
        binding,
        evidence: { ...sound.evidence, report_data: toBase64Url(instanceReportData(thumbprintOf(jwk.x), binding)) },
      };
      assert.ok(failures(await judge(adapted)).includes("report data EVIDENCE_REPORT_DATA_MISMATCH"));
    }
  });

  test("that is not of what was expected says what is not", async () => {
    const { launch: _, ...bare } = expected;
    const cases: [Partial<InstanceBinding>, Partial<InstanceExpectations>, string][] = [
      [{ nonce: "another-nonce-00" }, {}, "nonce EVIDENCE_REPORT_DATA_MISMATCH"],
      [{}, { trustedKey: new Instance().jwk.x }, "trusted key SIGNATURE_INVALID"],
      [{}, { policyHash: OTHER_HASH }, "policy hash POLICY_HASH_MISMATCH"],
      [{}, { catalogHash: OTHER_HASH }, "catalog hash CATALOG_HASH_MISMATCH"],
      [{ enforcement_mode: "advisory" }, {}, "enforcement mode MODE_NOT_ACCEPTED"],
      [{ policy_hash: OTHER_HASH }, {}, "policy of launch POLICY_NOT_OF_LAUNCH"],
      [{ catalog_hash: OTHER_HASH }, {}, "catalog of launch CATALOG_HASH_MISMATCH"],
      [{ launch_digest: OTHER_HASH }, {}, "launch digest EVIDENCE_LAUNCH_NOT_BOUND"],
      [
        {},
        { launch: { document: DOCUMENT, read: () => ({ ...TERMS, development: true }) } },
        "development DEVELOPMENT_NOT_ACCEPTED",
      ],
    ];
    for (const [binding, change, failure] of cases)
      assert.deepEqual(failures(await judge(await reportOf(bindingOf(binding)), change)), [failure]);
    const bytes = new TextEncoder().encode(JSON.stringify(await reportOf()));
    const without = await verifyInstance({ report: bytes }, bare, webcrypto);
    assert.ok(failures(without).includes("required: launch EVIDENCE_POLICY_VIOLATION"));
    assert.deepEqual(
      failures(await judge(await reportOf(bindingOf({ enforcement_mode: "advisory" })), { allowModes: ["advisory"] })),
      [],
    );
    assert.equal((await judge(await reportOf(), { trustedKey: instance.jwk.x })).outcome, "accepted");
  });

  test("of a machine that carries another launch document is refused", async () => {
    const verdict = await judge(await reportOf(bindingOf(), new Uint8Array(32)));
    assert.ok(failures(verdict).some((failure) => failure.endsWith("EVIDENCE_LAUNCH_NOT_BOUND")));
  });

  test("without its evidence, or with that of another platform or measurement, is refused", async () => {
    const { evidence_file: file, ...bare } = await reportOf();
    assert.deepEqual(failures(await judge(bare)), ["platform evidence EVIDENCE_MISSING"]);
    const renamed = { ...bare, evidence: { ...bare.evidence, platform: "intel-tdx" }, evidence_file: file };
    assert.deepEqual(failures(await judge(renamed)), ["evidence platform CLAIM_INCONSISTENT"]);
    const unknown = { ...renamed, evidence: { ...bare.evidence, platform: "another" } };
    assert.deepEqual((await judge(unknown)).outcome, "unsupported");
    const measured = { ...bare, evidence: { ...bare.evidence, measurement: `sha384:${"bb".repeat(48)}` } };
    assert.deepEqual(failures(await judge({ ...measured, evidence_file: file })), [
      "measurement in report EVIDENCE_MEASUREMENT_MISMATCH",
    ]);
  });

  test("of software is accepted only when asked for, and then shows nothing but its own form", async () => {
    const { evidence_file: _, ...bare } = await reportOf();
    const evidence = {
      ...bare.evidence,
      platform: "software-only",
      measurement: SOFTWARE_MEASUREMENT,
      firmware: SOFTWARE_FIRMWARE,
    };
    const software = { ...bare, evidence };
    assert.deepEqual(failures(await judge(software)), ["software-only accepted SOFTWARE_ONLY_NOT_ACCEPTED"]);
    const accepted = await judge(software, { allowSoftwareOnly: true });
    assert.deepEqual([failures(accepted), accepted.assurance], [[], "functional only"]);
    const more = { ...software, evidence: { ...evidence, measurement: "sha256:00" } };
    assert.deepEqual(failures(await judge(more, { allowSoftwareOnly: true })), [
      "platform evidence PUBLIC_KEY_NOT_BOUND",
    ]);
  });

  test("names an identity only if that identity signed the instance's key", async () => {
    const x = identity.publicKey.export({ format: "jwk" }).x ?? "";
    const report = await reportOf(bindingOf({ keys: { signing: instance.jwk.x, identity: x } }));
    const signed = (bytes: Uint8Array): string => toBase64Url(sign(null, bytes, identity.privateKey));
    const good = signed(Buffer.concat([IDENTITY, instance.thumbprint]));
    assert.deepEqual(failures(await judge({ ...report, identity_signature: good })), []);
    const refusal = ["identity signature SIGNATURE_INVALID"];
    assert.deepEqual(failures(await judge(report)), refusal);
    assert.deepEqual(failures(await judge({ ...report, identity_signature: signed(instance.thumbprint) })), refusal);
    assert.deepEqual(failures(await judge({ ...(await reportOf()), identity_signature: good })), refusal);
  });

  test("has keys to seal to only if the instance signed them", async () => {
    const configs = Buffer.from("key configurations, as they come");
    const report = await reportOf();
    const sealed = (purpose: string, signer = instance): ReceivedInstanceReport => ({
      ...report,
      seal: {
        key_configs: toBase64Url(configs),
        signature: toBase64Url(signer.sign(Buffer.concat([Buffer.from(purpose), configs]))),
      },
    });
    assert.deepEqual((await judge(report)).sealKeys, null);
    const good = await judge(sealed("cmcp-seal-keys-v1|"));
    assert.deepEqual([failures(good), Buffer.from(good.sealKeys ?? [])], [[], configs]);
    const why = (verdict: InstanceVerdict) => verdict.checks.find(({ name }) => name === "key configurations")?.why;
    assert.match(why(good) ?? "", /after this report$/);
    const seal = hash("sha256", configs, "base64url");
    const naming = await reportOf(bindingOf({ keys: { signing: instance.jwk.x, seal } }));
    const named = await judge({ ...naming, seal: sealed("cmcp-seal-keys-v1|").seal });
    assert.deepEqual([failures(named), named.keys?.["seal"]], [[], seal]);
    assert.match(why(named) ?? "", /^the report names/);
    for (const bad of [sealed(""), sealed("cmcp-seal-keys-v1|", new Instance())]) {
      const verdict = await judge(bad);
      assert.deepEqual([failures(verdict), verdict.sealKeys], [["key configurations SIGNATURE_INVALID"], null]);
    }
  });

  test("that is cut, or not of its form, is malformed and gives nothing", async () => {
    const bytes = new TextEncoder().encode(JSON.stringify(await reportOf()));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), async (length) => {
        const verdict = await judge(bytes.subarray(0, length));
        assert.deepEqual(
          [verdict.outcome, verdict.keys, verdict.binding, verdict.platform],
          ["malformed", null, null, null],
        );
      }),
      { numRuns: 30 },
    );
    for (const change of [{ extra: 1 }, { binding: { ...bindingOf(), purpose: "session" } }, { evidence_file: {} }]) {
      const verdict = await judge({ ...(await reportOf()), ...change });
      assert.equal(verdict.outcome, "malformed");
    }
  });
});

function thumbprintOf(x: string): Uint8Array {
  return createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest();
}
