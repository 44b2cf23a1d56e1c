import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startFixture, type Fixture, type RpcReply } from "../gateway/fixture.ts";

const call = (args: string): string =>
  `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":${args}}}`;

describe("bad requests through the front door", () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await startFixture();
  });
  after(async () => {
    await fixture.close();
  });

  /** Every bad request is followed by a good one, which must work. */
  const stillServes = async (): Promise<void> => {
    const good = await fixture.call("echo", { message: "still here" });
    assert.equal(good.status, 200);
  };

  const raw = async (
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: RpcReply }> => {
    const response = await fixture.request("/mcp", {
      method: "POST",
      body,
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    });
    return { status: response.status, body: (await response.json()) as RpcReply };
  };

  const BAD: readonly {
    readonly name: string;
    readonly body: string | Uint8Array<ArrayBuffer>;
    readonly status: number;
    readonly code: string;
  }[] = [
    { name: "truncated JSON", body: call('{"message":"x"}').slice(0, -3), status: 400, code: "MCP_PARSE_FAILURE" },
    {
      name: "10 000 levels deep",
      body: call(`${"[".repeat(10_000)}${"]".repeat(10_000)}`),
      status: 400,
      code: "MCP_PARSE_FAILURE",
    },
    {
      name: "bytes that are not UTF-8",
      body: Uint8Array.from([...new TextEncoder().encode(call('{"message":"')), 0xff, 0xfe]),
      status: 400,
      code: "MCP_PARSE_FAILURE",
    },
    { name: "a duplicate key", body: call('{"message":"a","message":"b"}'), status: 400, code: "MCP_PARSE_FAILURE" },
    { name: "a __proto__ key", body: call('{"__proto__":{}}'), status: 400, code: "MCP_PARSE_FAILURE" },
    {
      name: "a number that does not round-trip",
      body: call('{"message":12345678901234567890}'),
      status: 400,
      code: "MCP_PARSE_FAILURE",
    },
    {
      name: "JSON-RPC 1.0",
      body: '{"jsonrpc":"1.0","id":1,"method":"ping"}',
      status: 400,
      code: "MCP_INVALID_REQUEST",
    },
    {
      name: "a null id",
      body: '{"jsonrpc":"2.0","id":null,"method":"ping"}',
      status: 400,
      code: "MCP_INVALID_REQUEST",
    },
    { name: "a batch", body: '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', status: 400, code: "MCP_INVALID_REQUEST" },
    { name: "text", body: "hello", status: 400, code: "MCP_PARSE_FAILURE" },
  ];

  for (const { name, body, status, code } of BAD) {
    test(`${name} is refused with ${code}`, async () => {
      const reply = await raw(body);
      assert.equal(reply.status, status);
      assert.equal(reply.body.error?.data?.error_code, code);
      assert.ok((reply.body.error?.message.length ?? 0) > 0);
      await stillServes();
    });
  }

  test("an oversized request is refused with 413", async () => {
    const reply = await raw(call(JSON.stringify({ message: "x".repeat(5_000_000) })));
    assert.equal(reply.status, 413);
    await stillServes();
  });

  test("an unknown tool is denied, with an entry and a receipt", async () => {
    const reply = await fixture.call("rm-rf", {});
    assert.equal(reply.status, 403);
    assert.equal(reply.body.error?.data?.error_code, "TOOL_NOT_IN_CATALOG");
    assert.ok(reply.body.error?.data?.receipt);
  });

  test("arguments outside the approved schema are denied before policy sees them", async () => {
    for (const args of [{ message: 5 }, {}, { message: { __entity: { type: "cMCP::Resource", id: "x" } } }]) {
      const reply = await fixture.call("echo", args);
      assert.equal(reply.body.error?.data?.error_code, "MCP_INVALID_REQUEST");
      assert.ok(reply.body.error?.data?.receipt, "the refusal is on record");
    }
  });

  test("a workflow outside the measured set is refused", async () => {
    const reply = await fixture.post({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "echo", arguments: { message: "x" }, _cmcp: { workflow_id: "admin" } },
    });
    assert.equal(reply.status, 403);
    assert.equal(reply.body.error?.data?.error_code, "WORKFLOW_NOT_ALLOWED");
  });

  test("an unknown data class is refused", async () => {
    const reply = await fixture.post({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "echo", arguments: { message: "x" }, _cmcp: { data_class: "top-secret" } },
    });
    assert.equal(reply.body.error?.data?.error_code, "MCP_INVALID_REQUEST");
  });

  test("a foreign Origin is refused with 403 before anything else", async () => {
    const reply = await raw(call('{"message":"x"}'), { origin: "https://evil.example" });
    assert.equal(reply.status, 403);
    assert.equal(reply.body.error?.data?.error_code, "ORIGIN_NOT_ALLOWED");
    await stillServes();
  });

  test("a missing, wrong or malformed token is 401 with WWW-Authenticate", async () => {
    for (const authorization of ["", "Bearer wrong", "Basic dXNlcjpwYXNz", `bearer ${fixture.token}x`]) {
      const response = await fetch(fixture.gateway.mcp, {
        method: "POST",
        body: call('{"message":"x"}'),
        headers: { "content-type": "application/json", ...(authorization === "" ? {} : { authorization }) },
      });
      assert.equal(response.status, 401);
      assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
      await response.body?.cancel();
    }
    await stillServes();
  });

  test("an unknown session handle is 404, an unknown session id too", async () => {
    const reply = await raw(call('{"message":"x"}'), {
      "mcp-session-id": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    });
    assert.equal(reply.status, 404);
    assert.equal(reply.body.error?.data?.error_code, "MCP_SESSION_UNKNOWN");
    for (const path of ["/sessions/unknown/trace-claim", "/audit/export?session_id=unknown"])
      assert.equal((await fixture.request(path)).status, 404);
  });

  test("an export of what names no session is 404 whatever the text is", async () => {
    const ask = async (name: string): Promise<[number, string]> => {
      const answer = await fixture.request(`/audit/export?session_id=${encodeURIComponent(name)}`);
      return [answer.status, await answer.text()];
    };
    const unknown = await ask("00000000-0000-4000-8000-000000000000");
    assert.equal(unknown[0], 404);
    for (const name of ["another session", "a/b", "é", "\0", "x".repeat(256)])
      assert.deepEqual(await ask(name), unknown, name);
    await stillServes();
  });

  test("what is not built is refused by name", async () => {
    for (const method of ["tasks/list", "roots/list", "logging/setLevel"]) {
      const reply = await raw(`{"jsonrpc":"2.0","id":1,"method":"${method}"}`);
      assert.equal(reply.body.error?.code, -32601, method);
    }
    const modern = await raw('{"jsonrpc":"2.0","id":1,"method":"server/discover"}');
    assert.deepEqual(
      [modern.status, modern.body.error?.code],
      [400, -32602],
      "a request of the stateless era needs its envelope",
    );
    const stream = await fixture.request("/mcp", { headers: { accept: "text/event-stream" } });
    assert.equal(stream.status, 400, "a stream belongs to a session");
    await stream.body?.cancel();
  });

  test("nothing secret reached the log", () => {
    assert.ok(!fixture.gateway.log().includes(fixture.token));
    assert.ok(!fixture.gateway.log().includes("still here"));
  });
});
