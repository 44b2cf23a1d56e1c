/** Pages of web browsers as agents: those of listed origins work with the official client in both eras, others reach nothing. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { browserFetch } from "../gateway/browser.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { AUDIENCE, makeIssuer } from "../gateway/issuer.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { refusedCode } from "../gateway/refused-call.ts";
import { newToken } from "../gateway/principals.ts";
import { LOGS, startLoggingServer, type LoggingServer } from "../servers/logging-server.ts";

const LISTED = "http://localhost:6274";
const UNLISTED = "https://evil.example";

describe("a gateway that lets pages of one origin in", { timeout: 60_000 * PATIENCE }, () => {
  let server: LoggingServer;
  let gateway: Gateway;
  let folder = "";
  const token = newToken();
  const authorization = `Bearer ${token}`;
  const page = browserFetch(LISTED);
  const call = {
    method: "POST",
    headers: { authorization, "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} }),
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-browsers-"));
    server = await startLoggingServer();
    const enclave = {
      allowed_origins: [LISTED],
      identity: {
        resource: AUDIENCE,
        jwt: [makeIssuer("https://login.bank.example/").settings({ any_subject: { prefix: "staff:" } })],
      },
    };
    const config = await deploy(folder, {
      tools: [{ name: LOGS, url: server.url }],
      policies: ALLOW_ALL,
      config: `enclave: ${JSON.stringify(enclave)}\n`,
    });
    gateway = await startInProcess(config, developmentEnvironment(token));
  });
  after(async () => {
    await gateway?.stop();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const sharing = (headers: Headers): string[] =>
    [...headers.keys()].filter((name) => name === "vary" || name.startsWith("access-control-"));

  for (const [era, mode] of [
    ["legacy", "legacy"],
    ["modern", "auto"],
  ] as const) {
    test(`an agent of the ${era} era in such a page lists, calls, hears, and is refused in words it can read`, async () => {
      const agent = new Client({ name: "page", version: "1" }, { versionNegotiation: { mode } });
      const answers: { readonly method: string; readonly status: number; readonly type: string }[] = [];
      const watched = async (url: string | URL, init?: RequestInit): Promise<Response> => {
        const answer = await page(url, init);
        answers.push({
          method: init?.method ?? "GET",
          status: answer.status,
          type: answer.headers.get("content-type") ?? "",
        });
        return answer;
      };
      const transport = new StreamableHTTPClientTransport(new URL(gateway.mcp), {
        fetch: watched,
        requestInit: { headers: { authorization } },
      });
      await agent.connect(transport);
      assert.equal(agent.getProtocolEra(), era);
      assert.deepEqual(
        (await agent.listTools()).tools.map(({ name }) => name),
        [LOGS],
      );
      const { _meta: meta } = await agent.callTool({ name: LOGS, arguments: {} });
      assert.ok(meta?.["cmcp.gateway/receipt"] !== undefined, "the call has its receipt");
      assert.equal(refusedCode(await agent.callTool({ name: "not_in_catalog", arguments: {} })), "TOOL_NOT_IN_CATALOG");
      if (era === "legacy") {
        assert.ok(
          answers.some(({ method, type }) => method === "GET" && type.startsWith("text/event-stream")),
          "the session's own stream was opened",
        );
        assert.ok(transport.sessionId !== undefined, "the page could read the session's handle");
        await transport.terminateSession();
        assert.deepEqual([answers.at(-1)?.method, answers.at(-1)?.status], ["DELETE", 204]);
      }
      await agent.close();
    });
  }

  test("such a page without a token can read that, and where to get one", async () => {
    const { authorization: _, ...headers } = call.headers;
    const refused = await page(gateway.mcp, { ...call, headers });
    assert.equal(refused.status, 401);
    assert.match(
      refused.headers.get("www-authenticate") ?? "",
      /resource_metadata="https:\/\/gateway\.bank\.example\/\.well-known\/oauth-protected-resource\/mcp"/,
    );
    await refused.body?.cancel();
    const metadata = await page(`${gateway.url}/.well-known/oauth-protected-resource/mcp`, {
      headers: { "mcp-protocol-version": "2025-11-25" },
    });
    assert.equal(((await metadata.json()) as { resource: unknown }).resource, AUDIENCE);
  });

  test("a page may repeat parameters in headers of their own, and send no others", async () => {
    const sent = async (name: string): Promise<number> =>
      (await page(gateway.mcp, { ...call, headers: { ...call.headers, [name]: "x" } })).status;
    assert.equal(await sent("Mcp-Param-Region"), 200);
    await assert.rejects(sent("X-Other"), /the header x-other is not allowed/);
  });

  test("a page of another origin is refused, preflight included, and nothing says that it may read so much", async () => {
    await assert.rejects(browserFetch(UNLISTED)(gateway.mcp, call), /preflight of POST was answered 403/);
    const requests: readonly RequestInit[] = [
      { method: "OPTIONS", headers: { origin: UNLISTED, "access-control-request-method": "POST" } },
      { ...call, headers: { ...call.headers, origin: UNLISTED } },
    ];
    for (const request of requests) {
      const answer = await fetch(gateway.mcp, request);
      assert.deepEqual([answer.status, sharing(answer.headers)], [403, []]);
      assert.match(await answer.text(), /"ORIGIN_NOT_ALLOWED"/);
    }
  });

  test("who is no page is told nothing of origins", async () => {
    for (const [status, request] of [
      [200, call],
      [401, { ...call, headers: { "content-type": "application/json" } }],
      [401, { method: "OPTIONS", headers: { "access-control-request-method": "POST" } }],
    ] as const) {
      const answer = await fetch(gateway.mcp, request);
      assert.deepEqual([answer.status, sharing(answer.headers)], [status, []]);
      await answer.body?.cancel();
    }
  });

  test("what the host refuses by itself says nothing of origins: whose pages may read is not the host's to say", async () => {
    const answer = await fetch(gateway.mcp, {
      ...call,
      headers: { ...call.headers, origin: LISTED },
      body: "x".repeat(5_000_000),
    });
    assert.deepEqual([answer.status, sharing(answer.headers)], [413, []]);
    await answer.body?.cancel();
  });
});
