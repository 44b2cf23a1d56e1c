/** What of its TPM stops a gateway at its start. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { startGateway, StartRefused } from "../gateway/gateway.ts";
import { Deployments, ENTRY, freshTpm, startAttested, TOKEN } from "./attested-gateway.ts";

const NOTHING_MEASURED = `sha256:${createHash("sha256")
  .update(new Uint8Array(32 * 15))
  .digest("hex")}`;

describe("the start of a gateway on a TPM", () => {
  let deployments: Deployments;
  before(async () => {
    deployments = await Deployments.open();
  });
  after(() => deployments.close());

  test("one machine runs one launch document until it restarts", async (t) => {
    const swtpm = await freshTpm(t);
    if (swtpm === undefined) return;
    const config = await deployments.write(`validity_seconds: 3600, expected_measurement: '${NOTHING_MEASURED}'`);
    const first = await startAttested(t, config, swtpm);
    await first.gateway.stop();
    const again = await startAttested(t, config, swtpm);
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
    const config = await deployments.write(`expected_measurement: 'sha256:${"0".repeat(64)}'`);
    const env = { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN, CMCP_TPM_SOCKET: swtpm.socket };
    await assert.rejects(
      startGateway(config, env, { entry: ENTRY }),
      (thrown) => thrown instanceof StartRefused && thrown.output.includes("EVIDENCE_MEASUREMENT_MISMATCH"),
    );
  });
});
