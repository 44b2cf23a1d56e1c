/** Claim and evidence file of a session on a TPM, verified as a relying party would. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { writeEvidenceFile } from "@cmcp/appraise/evidence";
import { jwkThumbprint, sessionReportData } from "@cmcp/attestation";
import { preset } from "@cmcp/appraise";
import { claimSchema, EAT_PROFILES, type Claim } from "@cmcp/claim/schema";
import { verifyClaim } from "@cmcp/verify";
import { parseTpmQuote } from "../../packages/appraise/src/tpm/quote.ts";
import { collectTpm } from "../../attestation/src/tpm/collect.ts";
import { connectTpmSocket } from "../../attestation/src/tpm/transport/socket.ts";
import { Swtpm } from "../../attestation/src/tpm/transport/testing/swtpm.ts";
import { cmcp, Deployments, freshTpm, startAttested, TOKEN } from "./attested-gateway.ts";
import { authenticOf, enrolledKey, failures, readFileOf } from "./relying-party.ts";

const thumbprintOf = (claim: Claim): Uint8Array => jwkThumbprint(claim.trace.cnf.jwk);

/** The same evidence file, but quoted by another TPM. */
async function otherTpmEvidence(t: TestContext, like: string): Promise<string> {
  const swtpm = await Swtpm.start();
  assert.ok(swtpm !== null);
  t.after(async () => await swtpm.stop());
  const evidence = await collectTpm(new Uint8Array(64), Date.now(), {
    open: async () => await connectTpmSocket(swtpm.socket),
    eventLogPath: null,
  });
  const path = `${like}.stranger`;
  await writeFile(path, JSON.stringify(writeEvidenceFile(evidence)));
  return path;
}

describe("a session of a gateway on a TPM", () => {
  let deployments: Deployments;
  before(async () => {
    deployments = await Deployments.open();
  });
  after(() => deployments.close());

  test("claim and evidence file bind the session, the key and the launch document", async (t) => {
    const swtpm = await freshTpm(t);
    if (swtpm === undefined) return;
    const { gateway, json, call } = await startAttested(t, await deployments.write("validity_seconds: 3600"), swtpm);
    assert.equal((await json("/v1/status"))["assurance"], "host-trusted");
    assert.equal((await call("hello")).status, 200);
    const open = await json("/sessions/s/evidence");
    const claim = claimSchema.parse(await json("/sessions/s/close", { method: "POST" }));
    assert.equal(claim.trace.runtime.platform, "tpm2");
    const evidence = await json(`/sessions/${claim.gateway.session_id}/evidence`);
    const { log, ...report } = evidence;
    assert.deepEqual(report, open, "one report serves the session");
    assert.ok(log !== undefined, "the claim has its place in the log");

    const file = readFileOf(evidence);
    const root = claim.gateway.audit_chain.root;
    const reportData = sessionReportData(thumbprintOf(claim), root);
    assert.deepEqual(await failures(file, reportData, gateway.launch_digest), []);
    assert.deepEqual(
      await failures(file, sessionReportData(thumbprintOf(claim), "0".repeat(64)), gateway.launch_digest),
      ["report data"],
    );
    assert.deepEqual(await failures(file, reportData, `sha256:${"0".repeat(64)}`), ["launch digest"]);
    assert.equal(file.rootEntry?.["entry_hash"], root);
    assert.equal(file.launchDocument, null, "an agent gets what its claim needs");
    assert.equal((file.rootEntry["detail"] as Record<string, unknown>)["launch_digest"], gateway.launch_digest);

    const { parts } = file;
    assert.ok(parts.provider === "tpm");
    const enrolled = enrolledKey(parts.tpm.attestationKey);
    const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
    const policy = preset("vtpm");
    // A software TPM has neither a maker's certificate nor a firmware that logged anything.
    const appraisal = {
      ...policy,
      tpm: { ...policy.tpm, attestation_key_sha256: [enrolled] },
      required: policy.required.filter((name) => name !== "event_log"),
    };
    const expected = {
      now: new Date(),
      eatProfile: EAT_PROFILES[0],
      allowSoftwareOnly: false,
      appraisal,
      launchDigest: gateway.launch_digest.slice("sha256:".length),
      measurements: [claim.trace.runtime.measurement.slice("sha256:".length)],
    };
    const verdict = await verifyClaim({ claim: text(claim), evidence: text(evidence) }, expected, webcrypto);
    assert.equal(
      verdict.outcome,
      "accepted",
      JSON.stringify(verdict.checks.filter(({ status }) => status !== "passed")),
    );
    const stranger = await verifyClaim(
      { claim: text(claim), evidence: text(evidence) },
      { ...expected, appraisal: policy },
      webcrypto,
    );
    assert.equal(stranger.outcome, "rejected", "a key nobody certified or enrolled");

    // What the claim itself carries is the quote over the key's thumbprint.
    const {
      raw_evidence: raw,
      quote_signature: signature,
      cert_chain: chain,
    } = claim.gateway.attestation_evidence ?? {};
    assert.deepEqual(
      new Uint8Array(parseTpmQuote(Buffer.from(raw ?? "", "base64")).extraData),
      new Uint8Array(thumbprintOf(claim)),
    );
    assert.ok((signature ?? "").length > 0 && chain === undefined);
    assert.equal(claim.gateway.attestation_stale, false);
  });

  test("an operator closes a session and verifies its two files with the command line", async (t) => {
    const swtpm = await freshTpm(t);
    if (swtpm === undefined) return;
    const { gateway, json, call } = await startAttested(t, await deployments.write("validity_seconds: 3600"), swtpm);
    const closed = async (name: string): Promise<{ claim: string; evidence: string }> => {
      const { result } = (await (await call("hello", name)).json()) as {
        result: { _meta: Record<string, { session_id?: string }> };
      };
      const session = Object.values(result._meta).find((meta) => meta.session_id !== undefined)?.session_id ?? "";
      const files = {
        claim: join(deployments.folder, `claim-${name}.json`),
        evidence: join(deployments.folder, `evidence-${name}.json`),
      };
      const run = await cmcp(
        [
          "session",
          "close",
          "--url",
          gateway.url,
          "--session",
          session,
          "--out",
          files.claim,
          "--evidence-out",
          files.evidence,
        ],
        { CMCP_BEARER_TOKEN: TOKEN },
      );
      assert.deepEqual([run.code, run.stdout], [0, `${files.claim}\n${files.evidence}\n`], run.stderr);
      return files;
    };
    const [first, second] = [await closed("one"), await closed("two")];
    const { evidence_file: instance } = await json<{ evidence_file: unknown }>("/attestation?nonce=0123456789abcdef");
    const { parts } = readFileOf(instance);
    assert.ok(parts.provider === "tpm");
    const policy = join(deployments.folder, "policy.json");
    await writeFile(
      policy,
      JSON.stringify({
        platforms: ["tpm"],
        required: ["report_data", "launch"],
        tpm: { attestation_key_sha256: [enrolledKey(parts.tpm.attestationKey)] },
      }),
    );
    const verified = async (claim: string, more: readonly string[]): Promise<number> =>
      (
        await cmcp([
          "verify",
          claim,
          "--appraisal-policy",
          policy,
          "--launch-digest",
          gateway.launch_digest.slice("sha256:".length),
          "--allow-software-only",
          ...more,
        ])
      ).code;
    assert.equal(await verified(first.claim, ["--evidence", first.evidence]), 0);
    assert.equal(await verified(second.claim, ["--evidence", second.evidence]), 0);
    assert.equal(await verified(first.claim, ["--evidence", second.evidence]), 10, "another session's evidence");
    assert.equal(await verified(first.claim, []), 10, "no evidence");
    assert.equal(
      await verified(second.claim, ["--evidence", second.evidence, "--earlier-evidence", first.evidence]),
      0,
    );
    assert.equal(
      await verified(first.claim, ["--evidence", first.evidence, "--earlier-evidence", second.evidence]),
      10,
      "the clock went back",
    );
    const stranger = await otherTpmEvidence(t, second.evidence);
    assert.equal(
      await verified(second.claim, ["--evidence", second.evidence, "--earlier-evidence", stranger]),
      10,
      "another TPM's clock",
    );

    const alone = async (evidence: string, earlier: string): Promise<number> =>
      (
        await cmcp([
          "evidence",
          "verify",
          "--platform",
          "tpm",
          "--evidence",
          evidence,
          "--earlier",
          earlier,
          "--policy",
          await authenticOf(parts.tpm.attestationKey, deployments.folder),
        ])
      ).code;
    assert.equal(await alone(second.evidence, first.evidence), 0);
    assert.equal(await alone(first.evidence, second.evidence), 10, "the clock went back");
    assert.equal(await alone(second.evidence, stranger), 10);
  });
});
