/** A pilot: `attestation.provider: software-only`, named, outside development. It is isolated, and says everywhere that no hardware attests. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findIsolation } from "@cmcp/host-proxy";
import { cmcp } from "../gateway/cli.ts";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { StartRefused, startGateway } from "../gateway/gateway.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

const TOKEN = "pilot-token-pilot-token-pilot-token-pilot";
/** No development mode. */
const PRODUCTION = { CMCP_BEARER_TOKEN: TOKEN };
const { isolation } = await findIsolation(true);

interface Verdict {
  readonly outcome: string;
  readonly assurance: string;
  readonly checks: readonly { readonly name: string; readonly code?: string }[];
}

describe("software-only attestation outside development", () => {
  let folder: string;
  let records: RecordsServer;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-pilot-"));
    records = await startRecordsServer();
  });
  after(async () => {
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  const deployed = (name: string, provider: string): Promise<string> =>
    deploy(join(folder, name), {
      tools: [{ name: "send_message", url: `https://127.0.0.1:${records.port}/mcp`, fingerprint: records.fingerprint }],
      policies: ALLOW_ALL,
      config: `attestation: {provider: ${provider}}\n`,
    });
  const verified = async (...args: string[]): Promise<{ code: number; verdict: Verdict }> => {
    const { code, stdout } = await cmcp(["verify", join(folder, "claim.json"), ...args, "--json"]);
    return { code, verdict: JSON.parse(stdout) as Verdict };
  };

  test("is not taken unless it is named", async () => {
    await assert.rejects(
      startGateway(await deployed("auto", "auto"), PRODUCTION),
      (thrown: unknown) => thrown instanceof StartRefused && /ATTESTATION_PROVIDER_UNSUPPORTED/.test(thrown.output),
    );
  });

  test("starts where it is named and the enclave is isolated; status, claim and verdict say that there is no hardware", async () => {
    const config = await deployed("named", "software-only");
    if (isolation === "none") {
      await assert.rejects(
        startGateway(config, PRODUCTION),
        (thrown: unknown) => thrown instanceof StartRefused && /ISOLATION_UNAVAILABLE/.test(thrown.output),
      );
      return;
    }
    const gateway = await startGateway(config, PRODUCTION);
    try {
      assert.match(gateway.log(), /software-only: no hardware attests/);
      const client = clientOf(gateway, TOKEN);
      const status = await client.json("/v1/status");
      assert.deepEqual(
        [status["development"], status["hardware_evidence"], status["assurance"], status["isolation"]],
        [false, false, "functional-only", "network-namespace"],
      );
      const { body } = await client.call("send_message", "pilot", { to: "a", text: "b" });
      const claim = await client.close(receiptOf(body).session_id);
      assert.equal(claim.trace.runtime.platform, "software-only");
      assert.match(claim.trace.runtime.firmware_version ?? "", /^software-only; isolation=network-namespace;/);
      await writeFile(join(folder, "claim.json"), JSON.stringify(claim));
    } finally {
      await gateway.stop();
    }
    const refused = await verified();
    assert.equal(refused.code, 10);
    assert.ok(refused.verdict.checks.some(({ code }) => code === "SOFTWARE_ONLY_NOT_ACCEPTED"));
    const accepted = await verified("--allow-software-only");
    assert.deepEqual([accepted.code, accepted.verdict.assurance], [0, "functional only"]);
    const evidence = accepted.verdict.checks.find(({ name }) => name === "platform evidence");
    assert.match(JSON.stringify(evidence), /there is no hardware evidence/);
  });
});
