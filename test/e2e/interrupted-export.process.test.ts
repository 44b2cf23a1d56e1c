/** `cmcp verify`, as shipped, on the export of a session whose gateway crashed. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Receipt } from "@cmcp/audit/schema";
import { cmcp } from "../gateway/cli.ts";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { changed, failures, printed } from "../gateway/verdict.ts";

describe("the export of a session that a crash interrupted", () => {
  let folder: string;
  let records: RecordsServer;
  let exported: string;
  let key: string;
  let receipt: Receipt;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-verify-crash-"));
    records = await startRecordsServer();
    const config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    await listenOnAnyPort(config);
    const env = developmentEnvironment(randomBytes(32).toString("base64url"));
    const request = async (gateway: Gateway, path: string, body?: object): Promise<string> => {
      const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
      return await (
        await fetch(`${gateway.url}${path}`, {
          ...init,
          headers: {
            authorization: `Bearer ${env["CMCP_BEARER_TOKEN"]}`,
            "content-type": "application/json",
            accept: "application/json, text/event-stream",
          },
        })
      ).text();
    };
    const first = await startGateway(config, env);
    const reply = JSON.parse(
      await request(first, "/mcp", {
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "send_message", arguments: { to: "a", text: "x" } },
      }),
    ) as RpcReply;
    receipt = receiptOf(reply);
    await writeFile(join(folder, "receipt.json"), JSON.stringify(receipt));
    await first.kill();
    const second = await startGateway(config, env);
    try {
      exported = await request(second, `/audit/export?session_id=${receipt.session_id}`);
    } finally {
      await second.stop();
    }
    key = (JSON.parse(exported) as { signing_key: { x: string } }).signing_key.x;
    await writeFile(join(folder, "export.json"), exported);
  });
  after(async () => {
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  const verify = (path: string, ...args: string[]) => cmcp(["verify", "--audit-bundle", path, "--json", ...args]);

  test("0: it still verifies, as an open prefix", async () => {
    const result = await verify(
      join(folder, "export.json"),
      "--allow-software-only",
      "--trusted-key",
      key,
      "--receipt",
      join(folder, "receipt.json"),
    );
    assert.equal(result.code, 0, result.stdout);
    assert.deepEqual([printed(result).outcome, printed(result).completeness], ["accepted", "open prefix"]);
    assert.deepEqual(
      printed(result)
        .checks.filter(({ status }) => status !== "passed")
        .map(({ name, status }) => [name, status]),
      [
        ["claim", "not-applicable"],
        ["provisioning", "not-performed"],
      ],
    );
  });

  test("10: without --allow-software-only, under another pinned key, or with a changed entry", async () => {
    assert.deepEqual(failures(await verify(join(folder, "export.json"))), [
      "software-only accepted SOFTWARE_ONLY_NOT_ACCEPTED",
    ]);
    assert.deepEqual(
      failures(
        await verify(
          join(folder, "export.json"),
          "--allow-software-only",
          "--trusted-key",
          randomBytes(32).toString("base64url"),
        ),
      ),
      ["trusted key SIGNATURE_INVALID"],
    );
    const held = join(folder, "changed-receipt.json");
    await writeFile(held, JSON.stringify({ ...receipt, sequence_number: 2 }));
    assert.deepEqual(failures(await verify(join(folder, "export.json"), "--allow-software-only", "--receipt", held)), [
      "receipt 2 signature RECEIPT_INVALID",
    ]);
    const path = join(folder, "changed.json");
    await writeFile(path, changed(exported, '"tool_name":"send_message"', '"tool_name":"send_massage"'));
    const result = await verify(path, "--allow-software-only");
    assert.deepEqual([result.code, failures(result)], [10, ["audit chain CHAIN_BROKEN"]]);
  });

  test("30: a complete session's bundle is not such an export", async () => {
    const path = join(folder, "complete.json");
    await writeFile(path, changed(exported, '"incomplete":true', '"incomplete":false'));
    const result = await verify(path, "--allow-software-only");
    assert.deepEqual([result.code, failures(result)], [30, ["export form BUNDLE_MALFORMED"]]);
  });
});
