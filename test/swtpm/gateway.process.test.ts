/** A gateway whose platform is a TPM, played by swtpm: what it hands out is verified as a relying party would. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, webcrypto } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { writeEvidenceFile, type InstanceBinding } from "@cmcp/appraise/evidence";
import { instanceReportData, jwkThumbprint, sessionReportData } from "@cmcp/attestation";
import { auditBundleSchema, type AuditBundle } from "@cmcp/audit/schema";
import { untrusted } from "@cmcp/boundary";
import { preset } from "@cmcp/appraise";
import { claimSchema, EAT_PROFILES, type Claim } from "@cmcp/claim/schema";
import { verifyClaim } from "@cmcp/verify";
import { readEvidenceFile, type EvidenceFile } from "../../packages/appraise/src/evidence/file/read.ts";
import { parseTpmQuote } from "../../packages/appraise/src/tpm/quote.ts";
import { collectTpm } from "../../attestation/src/tpm/collect.ts";
import { STRICT_TPM_POLICY } from "../../packages/appraise/src/tpm/policy.ts";
import { parseAttestationKey } from "../../packages/appraise/src/tpm/public-key.ts";
import { connectTpmSocket } from "../../attestation/src/tpm/transport/socket.ts";
import { NO_SWTPM, Swtpm } from "../../attestation/src/tpm/transport/testing/swtpm.ts";
import { verifyTpm } from "../../packages/appraise/src/tpm/verify.ts";
import { startEverythingServer, type ServerProcess } from "../servers/everything-server.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { CLI, startGateway, StartRefused, type Gateway } from "../gateway/gateway.ts";

const TOKEN = "token-of-the-only-principal-0123456789";
/** The command line under test; another build of it, for trying one out. */
const ENTRY = process.env["CMCP_TEST_CLI"] ?? CLI;
const NOTHING_MEASURED = `sha256:${createHash("sha256")
  .update(new Uint8Array(32 * 15))
  .digest("hex")}`;

/** A gateway with its TPM, and requests to it. */
interface Attested {
  readonly gateway: Gateway;
  readonly json: <T = Record<string, unknown>>(path: string, init?: RequestInit) => Promise<T>;
  readonly call: (message: string, session?: string) => Promise<Response>;
}

/** Runs the command line under test. */
function cmcp(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", ENTRY, ...args],
      { env: { PATH: process.env["PATH"], NO_COLOR: "1", ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}

describe("a gateway on a TPM", () => {
  let folder: string;
  let server: ServerProcess;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-attested-"));
    server = await startEverythingServer();
  });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  let deployments = 0;
  const deployment = async (attestation: string): Promise<string> => {
    deployments += 1;
    const at = join(folder, `d${deployments}`);
    const tools = [
      {
        name: "echo",
        url: `http://127.0.0.1:${server.port}/mcp`,
        inputSchema: { type: "object", properties: { message: { type: "string" } }, required: ["message"] },
      },
    ];
    return await deploy(at, {
      tools,
      policies: ALLOW_ALL,
      config: `attestation: {provider: tpm, ${attestation}}\ncatalog: {drift_policy: warn_only}\n`,
    });
  };

  const freshTpm = async (t: TestContext): Promise<Swtpm | undefined> => {
    const swtpm = await Swtpm.start();
    if (swtpm === null) {
      t.skip(NO_SWTPM);
      return undefined;
    }
    t.after(async () => await swtpm.stop());
    return swtpm;
  };

  const start = async (t: TestContext, config: string, swtpm: Swtpm): Promise<Attested> => {
    const gateway = await startGateway(
      config,
      { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN, CMCP_TPM_SOCKET: swtpm.socket },
      { entry: ENTRY },
    );
    t.after(async () => await gateway.stop());
    const request = async (path: string, init: RequestInit = {}): Promise<Response> =>
      await fetch(`${gateway.url}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string> | undefined) },
      });
    return {
      gateway,
      json: async <T>(path: string, init?: RequestInit) => (await (await request(path, init)).json()) as T,
      call: async (message, session = "s") =>
        await request("/mcp", {
          method: "POST",
          headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
          body: JSON.stringify({
            jsonrpc: "2.0",
            id: 1,
            method: "tools/call",
            params: { name: "echo", arguments: { message }, _cmcp: { session_id: session } },
          }),
        }),
    };
  };

  const readFileOf = (value: unknown): EvidenceFile =>
    readEvidenceFile(untrusted(new TextEncoder().encode(JSON.stringify(value))));

  /** Names of the checks that failed, for a relying party that enrolled the TPM's key and expects this launch. */
  const failures = async ({ parts }: EvidenceFile, reportData: Uint8Array, launchDigest: string): Promise<string[]> => {
    assert.ok(parts.provider === "tpm");
    const { tpm } = parts;
    const key = enrolledKey(tpm.attestationKey);
    const evidence = {
      quote: tpm.quote.attest,
      signature: tpm.quote.signature,
      attestationKey: tpm.attestationKey,
      certificates: tpm.certificates,
      registers: new Map([[tpm.bank, tpm.registers]]),
    };
    const expected = {
      reportData,
      launchDigest: new Uint8Array(Buffer.from(launchDigest.slice("sha256:".length), "hex")),
    };
    const { verified, checks } = await verifyTpm(
      { evidence, ...expected },
      { ...STRICT_TPM_POLICY, attestation_key_sha256: [key] },
      new Date(),
      webcrypto,
    );
    assert.ok(verified !== null);
    return checks.filter(({ status }) => status === "failed").map(({ name }) => name);
  };

  /** How a policy names a key that was enrolled. */
  const enrolledKey = (attestationKey: Uint8Array): string =>
    createHash("sha256").update(parseAttestationKey(attestationKey).key.spki).digest("hex");

  /** A policy that appraises nothing but the clock and whose key it is. */
  const authenticOf = async (attestationKey: Uint8Array): Promise<string> => {
    const path = join(folder, "clock.json");
    await writeFile(
      path,
      JSON.stringify({
        platforms: ["tpm"],
        required: [],
        tpm: { attestation_key_sha256: [enrolledKey(attestationKey)] },
      }),
    );
    return path;
  };

  /** The same evidence file, but quoted by another TPM. */
  const otherTpmEvidence = async (t: TestContext, like: string): Promise<string> => {
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
  };

  const thumbprintOf = (claim: Claim): Uint8Array => jwkThumbprint(claim.trace.cnf.jwk);

  test("claim and evidence file bind the session, the key and the launch document", async (t) => {
    const swtpm = await freshTpm(t);
    if (swtpm === undefined) return;
    const { gateway, json, call } = await start(t, await deployment("validity_seconds: 3600"), swtpm);
    assert.equal((await json("/v1/status"))["assurance"], "host-trusted");
    assert.equal((await call("hello")).status, 200);
    const open = await json("/sessions/s/evidence");
    const claim = claimSchema.parse(await json("/sessions/s/close", { method: "POST" }));
    assert.equal(claim.trace.runtime.platform, "tpm2");
    const evidence = await json(`/sessions/${claim.gateway.session_id}/evidence`);
    assert.deepEqual(evidence, open, "one report serves the session");

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
    const { gateway, json, call } = await start(t, await deployment("validity_seconds: 3600"), swtpm);
    const closed = async (name: string): Promise<{ claim: string; evidence: string }> => {
      const { result } = (await (await call("hello", name)).json()) as {
        result: { _meta: Record<string, { session_id?: string }> };
      };
      const session = Object.values(result._meta).find((meta) => meta.session_id !== undefined)?.session_id ?? "";
      const files = { claim: join(folder, `claim-${name}.json`), evidence: join(folder, `evidence-${name}.json`) };
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
    const policy = join(folder, "policy.json");
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
          await authenticOf(parts.tpm.attestationKey),
        ])
      ).code;
    assert.equal(await alone(second.evidence, first.evidence), 0);
    assert.equal(await alone(first.evidence, second.evidence), 10, "the clock went back");
    assert.equal(await alone(second.evidence, stranger), 10);
  });

  test("an instance's report is for whoever's nonce it was asked with, and asking is limited", async (t) => {
    const swtpm = await freshTpm(t);
    if (swtpm === undefined) return;
    const { gateway, json } = await start(t, await deployment("validity_seconds: 3600"), swtpm);
    const nonce = "0123456789abcdef";
    const { binding, evidence_file: evidence } = await json<{ binding: InstanceBinding; evidence_file: unknown }>(
      `/attestation?nonce=${nonce}`,
    );
    assert.equal(binding.nonce, nonce);
    const thumbprint = jwkThumbprint({ kty: "OKP", crv: "Ed25519", x: binding.keys["signing"] ?? "" });
    assert.deepEqual(
      await failures(readFileOf(evidence), instanceReportData(thumbprint, binding), gateway.launch_digest),
      [],
    );
    assert.deepEqual(
      await failures(
        readFileOf(evidence),
        instanceReportData(thumbprint, { ...binding, nonce: "another-nonce-00" }),
        gateway.launch_digest,
      ),
      ["report data"],
    );
    const { parts } = readFileOf(evidence);
    assert.ok(parts.provider === "tpm");
    const path = join(folder, "instance.json");
    await writeFile(path, JSON.stringify(evidence));
    const policy = await authenticOf(parts.tpm.attestationKey);
    const verified = async (challenge: string): Promise<number> =>
      (
        await cmcp([
          "evidence",
          "verify",
          "--platform",
          "tpm",
          "--evidence",
          path,
          "--policy",
          policy,
          "--launch-digest",
          gateway.launch_digest.slice("sha256:".length),
          "--report-data",
          Buffer.from(instanceReportData(thumbprint, { ...binding, nonce: challenge })).toString("hex"),
        ])
      ).code;
    assert.deepEqual([await verified(nonce), await verified("another-nonce-00")], [0, 10], "with the command line");
    let refused: { error?: { code?: string } } = {};
    for (let asked = 0; asked < 40 && refused.error === undefined; asked += 1)
      refused = await json(`/attestation?nonce=${nonce}`);
    assert.equal(refused.error?.code, "OVERLOADED");
  });

  test("one machine runs one launch document until it restarts", async (t) => {
    const swtpm = await freshTpm(t);
    if (swtpm === undefined) return;
    const config = await deployment(`validity_seconds: 3600, expected_measurement: '${NOTHING_MEASURED}'`);
    const first = await start(t, config, swtpm);
    await first.gateway.stop();
    const again = await start(t, config, swtpm);
    await again.gateway.stop();
    await writeFile(config, (await readFile(config, "utf8")).replace("3600", "3601"));
    const env = { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN, CMCP_TPM_SOCKET: swtpm.socket };
    await assert.rejects(
      startGateway(config, env, { entry: ENTRY }),
      (thrown) => thrown instanceof StartRefused && thrown.output.includes("LAUNCH_DIGEST_MISMATCH"),
    );
  });

  test("another measurement than the expected one stops the start", async (t) => {
    const swtpm = await freshTpm(t);
    if (swtpm === undefined) return;
    const config = await deployment(`expected_measurement: 'sha256:${"0".repeat(64)}'`);
    const env = { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN, CMCP_TPM_SOCKET: swtpm.socket };
    await assert.rejects(
      startGateway(config, env, { entry: ENTRY }),
      (thrown) => thrown instanceof StartRefused && thrown.output.includes("EVIDENCE_MEASUREMENT_MISMATCH"),
    );
  });

  /** Waits until something holds; the deadline only ends a test that would never pass. */
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; tries < 300; tries += 1) {
      if (await holds()) return;
      await delay(100);
    }
    assert.fail("it never came to that");
  };

  for (const policy of ["fail_closed", "warn_only"] as const) {
    test(`reports are refreshed in open sessions; without them the gateway ${policy === "fail_closed" ? "stops serving" : "serves and says so"}`, async (t) => {
      const swtpm = await freshTpm(t);
      if (swtpm === undefined) return;
      const { json, call } = await start(
        t,
        await deployment(`validity_seconds: 2, staleness_policy: ${policy}`),
        swtpm,
      );
      await call("first");
      const session = async (): Promise<AuditBundle> =>
        auditBundleSchema.parse(await json("/audit/export?session_id=s"));
      const types = async (): Promise<string[]> => (await session()).entries.map(({ entry_type: type }) => type);
      await until(async () => (await types()).includes("attestation_refresh"));
      assert.equal((await call("the session goes on")).status, 200);
      await swtpm.stop();
      await until(async () => (await types()).includes("attestation_stale"));
      const reply = await call("after");
      if (policy === "fail_closed") {
        assert.equal(reply.status, 412);
        assert.match(await reply.text(), /ATTESTATION_STALE/);
      } else assert.equal(reply.status, 200);
      assert.equal((await types()).filter((type) => type === "attestation_stale").length, 1, "said once");
      assert.equal(((await json("/v1/status"))["attestation"] as { stale: boolean }).stale, true);
    });
  }
});
