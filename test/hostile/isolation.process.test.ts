/** What keeps the enclave process from the network is what the enclave itself sees, wherever it is said. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { auditBundleSchema } from "@cmcp/audit/schema";
import { claimSchema } from "@cmcp/claim/schema";
import { findIsolation } from "@cmcp/host-proxy";
import { deployQuickstart } from "../gateway/deployment.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startObservedHost } from "./observed-host.ts";

const ENV = { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: "isolation-token-isolation-token-1234" };

describe("isolation of the enclave process", () => {
  let folder: string;
  let records: RecordsServer;
  let config: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-isolation-"));
    records = await startRecordsServer();
    config = await deployQuickstart(join(folder, "d"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
  });
  after(async () => {
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Isolation as status, root entry and claim say it. */
  async function said(isolated: boolean): Promise<string[]> {
    const host = await startObservedHost(config, ENV, { isolated });
    try {
      await host.startEnclave();
      const status = JSON.parse((await host.request("GET", "/v1/status")).body) as { isolation: string };
      const call = JSON.parse(
        (
          await host.request("POST", "/mcp", {
            jsonrpc: "2.0",
            id: 1,
            method: "tools/call",
            params: { name: "send_message", arguments: { to: "a", text: "b" } },
          })
        ).body,
      ) as RpcReply;
      const { session_id: session } = receiptOf(call);
      const bundle = auditBundleSchema.parse(
        JSON.parse((await host.request("GET", `/audit/export?session_id=${session}`)).body),
      );
      const claim = claimSchema.parse(JSON.parse((await host.request("POST", `/sessions/${session}/close`)).body));
      return [
        status.isolation,
        String(bundle.entries[0]?.detail?.["isolation"]),
        /isolation=([a-z-]+)/.exec(claim.trace.runtime.firmware_version ?? "")?.[1] ?? "",
      ];
    } finally {
      await host.close();
    }
  }

  test("status, root entry and claim say none where the network is in reach", async () => {
    assert.deepEqual(await said(false), ["none", "none", "none"]);
  });

  test("status, root entry and claim say network-namespace in an empty one", async (t) => {
    const { isolation } = await findIsolation(true);
    if (isolation === "none") {
      assert.equal(process.env["CMCP_REQUIRE_ALL"], undefined, "this machine must allow user namespaces");
      t.skip("this machine does not allow user namespaces");
      return;
    }
    assert.deepEqual(await said(true), ["network-namespace", "network-namespace", "network-namespace"]);
  });
});
