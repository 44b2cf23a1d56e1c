/** What the host says of a caller is a label for rules and record, and lets nobody in. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { examine } from "@cmcp/boundary";
import { clientOf } from "../gateway/client.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { deployWithIdentity } from "../gateway/identity.ts";
import { startObservedHost } from "../hostile/observed-host.ts";
import { startRecordsServer } from "../servers/records-server.ts";

const BEARER = "identity-test-token-0123456789abcdefghijkl";
const MESSAGE = { to: "ops@example.org", text: "hello" };

test("what a TLS proxy in front says of a client certificate reaches rules and record, where the host is told to believe it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-proxied-"));
  const records = await startRecordsServer();
  const gateway = await startGateway(await deployWithIdentity(join(folder, "d"), records), {
    CMCP_DEV_MODE: "1",
    CMCP_BEARER_TOKEN: BEARER,
    CMCP_PEER_IDENTITY_HEADER: "X-Forwarded-Client-Cert",
  });
  try {
    const call = async (headers: Record<string, string>): Promise<{ status: number; body: RpcReply }> => {
      const response = await fetch(gateway.mcp, {
        method: "POST",
        headers: { authorization: `Bearer ${BEARER}`, "content-type": "application/json", ...headers },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: "send_message", arguments: MESSAGE },
        }),
      });
      return { status: response.status, body: (await response.json()) as RpcReply };
    };
    const certificate = (uri: string): Record<string, string> => ({
      "x-forwarded-client-cert": `By=spiffe://bank.example/proxy;Hash=ab;URI=${uri}`,
    });
    const allowed = await call(certificate("spiffe://bank.example/desk"));
    assert.equal(allowed.status, 200, JSON.stringify(allowed.body));
    const { entries } = await clientOf(gateway, BEARER).export(receiptOf(allowed.body).session_id);
    assert.equal(
      entries.find(({ entry_type: type }) => type === "tool_call")?.detail?.["host_asserted_spiffe_id"],
      "spiffe://bank.example/desk",
    );
    assert.equal((await call(certificate("spiffe://bank.example/yard/1"))).body.error?.data?.error_code, "POLICY_DENY");
    assert.equal(
      (await call({ ...certificate("spiffe://bank.example/desk"), authorization: "Bearer wrong" })).status,
      401,
      "it lets nobody in",
    );
    assert.equal(
      (await call({ "x-forwarded-client-cert": "URI=spiffe://bank.example/desk,URI=spiffe://bank.example/yard/1" }))
        .status,
      400,
      "which hop's is the agent's is not for the host to choose",
    );
    assert.equal(
      (await call({ "x-cmcp-host-asserted-spiffe-id": "spiffe://bank.example/yard/1" })).status,
      200,
      "an agent cannot say it itself",
    );
  } finally {
    await gateway.stop();
    await records.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test("the host's word is a label for rules and record, and lets nobody in", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-asserted-"));
  const records = await startRecordsServer();
  const host = await startObservedHost(await deployWithIdentity(join(folder, "d"), records), {
    CMCP_DEV_MODE: "1",
    CMCP_BEARER_TOKEN: BEARER,
  });
  try {
    await host.startEnclave();
    const call = async (
      spiffeId: string,
      authorization: string | null,
    ): Promise<{ status: number; reply: RpcReply }> => {
      const headers = {
        "content-type": "application/json",
        accept: "application/json",
        "x-cmcp-host-asserted-spiffe-id": spiffeId,
        ...(authorization === null ? {} : { authorization }),
      };
      const exchange = await host.pool.open({ t: "request", method: "POST", path: "/mcp", headers });
      await exchange.write(
        Buffer.from(
          JSON.stringify({
            jsonrpc: "2.0",
            id: 1,
            method: "tools/call",
            params: { name: "send_message", arguments: MESSAGE },
          }),
        ),
      );
      await exchange.end();
      const { status } = await exchange.head;
      const chunks: Buffer[] = [];
      for await (const chunk of exchange.body) chunks.push(Buffer.from(examine(chunk)));
      return { status, reply: JSON.parse(Buffer.concat(chunks).toString()) as RpcReply };
    };
    for (const id of ["spiffe://bank.example/desk", "spiffe://bank.example/default", "default"])
      assert.equal((await call(id, null)).status, 401, id);
    assert.equal((await call("spiffe://bank.example/desk", `Bearer ${BEARER}`)).status, 200);
    assert.equal(
      (await call("spiffe://bank.example/yard/1", `Bearer ${BEARER}`)).reply.error?.data?.error_code,
      "POLICY_DENY",
    );
    assert.equal(
      (await call("spiffe://evil.example/yard/1", `Bearer ${BEARER}`)).status,
      200,
      "not of a trust domain the configuration names",
    );
    assert.equal((await call("spiffe://bank.example/yard/1?x", `Bearer ${BEARER}`)).status, 200, "not a SPIFFE ID");
  } finally {
    await host.close();
    await records.close();
    await rm(folder, { recursive: true, force: true });
  }
});
