/** What agents and servers may send to harm others, through the public endpoint: a clear error each, and whoever else is served goes on. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ALLOW_ALL, deploy, type ToolEntry } from "../gateway/deployment.ts";
import type { RpcReply } from "../gateway/fixture.ts";
import { StartRefused, developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken, tokenLine } from "../gateway/principals.ts";
import { callReply, rawTool, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";
import { SLOW_TOOL, startTasksServer, type TasksServer } from "../servers/tasks-server.ts";

const STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const event = (message: object): string => chunk(`data: ${JSON.stringify(message)}\n\n`);
const page = (...names: string[]): object => ({ tools: names.map(rawTool) });
const CONFIG = `enclave:\n  token_file: tokens\n  principals:\n    - id: alice\n    - id: bob\n  upstream_idle_timeout_ms: ${800 * PATIENCE}\n  upstream_call_timeout_ms: ${2000 * PATIENCE}\n`;
const REQUEST_IN = { id: 900, jsonrpc: "2.0" };

describe("bad input", { timeout: 120_000 * PATIENCE }, () => {
  const servers: RawServer[] = [];
  const tokens = { alice: newToken(), bob: newToken() };
  /** Calls of `held` wait here until a test lets them go. */
  const held: (() => void)[] = [];
  let modern: TasksServer;
  let gateway: Gateway;
  let folder = "";
  let calls = 0;
  let fetched = 0;
  const schemas = createServer((_, response) => {
    fetched += 1;
    response.end("{}");
  });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-bad-input-"));
    modern = await startTasksServer();
    schemas.listen(0, "127.0.0.1");
    await once(schemas, "listening");
    const elsewhere = `http://127.0.0.1:${(schemas.address() as AddressInfo).port}/schema.json`;
    const bomb = {
      name: "bomb",
      description: "bomb.",
      inputSchema: {
        $ref: elsewhere,
        $defs: Object.fromEntries(
          Array.from({ length: 500 }, (_, n) => [
            `d${n}`,
            { allOf: [{ $ref: `#/$defs/d${(n + 1) % 500}` }, { $ref: elsewhere }] },
          ]),
        ),
      },
    };
    const hostile: Record<string, [Parameters<typeof startRawServer>[1], Parameters<typeof startRawServer>[2]?]> = {
      good: [(socket, { id }) => socket.write(reply(callReply(id, "fine")))],
      held: [(socket, { id }) => held.push(() => socket.write(reply(callReply(id, "at last"))))],
      "ten-thousand": [() => undefined, () => page(...Array.from({ length: 10_000 }, (_, n) => `tool-${n}`))],
      "pages-without-end": [() => undefined, () => ({ tools: [], nextCursor: "again" })],
      renames: [
        () => undefined,
        (cursor) => (cursor === null ? { ...page("other"), nextCursor: "2" } : page("renamed")),
      ],
      "twice-listed": [
        () => undefined,
        (cursor) =>
          cursor === null
            ? { ...page("twice-listed"), nextCursor: "2" }
            : { tools: [{ ...rawTool("twice-listed"), description: "Another." }] },
      ],
      bomb: [() => undefined, () => ({ tools: [bomb] })],
      unsolicited: [
        (socket, { id }) =>
          socket.write(
            STREAM +
              event({ ...REQUEST_IN, method: "sampling/createMessage", params: {} }) +
              event({ ...REQUEST_IN, id: 901, method: "tasks/get", params: { taskId: "t" } }) +
              event({ jsonrpc: "2.0", method: "notifications/tools/list_changed" }) +
              chunk(`data: ${callReply(id, "fine")}\n\n`) +
              "0\r\n\r\n",
          ),
      ],
      "answers-twice": [
        (socket, { id }) => {
          calls += 1;
          socket.write(
            calls === 1
              ? reply(callReply(id, "first")) + reply(callReply(id, "first again"))
              : reply(callReply(id, "second")),
          );
        },
      ],
      "never-ends": [
        (socket) => {
          socket.write(STREAM);
          const drip = setInterval(
            () =>
              socket.write(
                event({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "." } }),
              ),
            100,
          );
          socket.once("close", () => clearInterval(drip));
        },
      ],
      floods: [(socket) => socket.write(STREAM + event({ jsonrpc: "2.0", method: "n" }).repeat(10_001))],
    };
    const tools: ToolEntry[] = [{ name: SLOW_TOOL.name, url: modern.url, inputSchema: SLOW_TOOL.inputSchema }];
    for (const [name, [misbehave, pages]] of Object.entries(hostile)) {
      const server = await startRawServer(name, misbehave, pages);
      servers.push(server);
      tools.push({ name, url: server.url });
    }
    const config = await deploy(folder, { tools, policies: ALLOW_ALL, config: CONFIG });
    await writeFile(join(folder, "tokens"), tokenLine("alice", tokens.alice) + tokenLine("bob", tokens.bob), {
      mode: 0o600,
    });
    gateway = await startGateway(config, { CMCP_DEV_MODE: "1" });
  });
  after(async () => {
    await gateway?.stop();
    await modern?.close();
    for (const server of servers) await server.close();
    schemas.close();
    await rm(folder, { recursive: true, force: true });
  });

  type Who = keyof typeof tokens;
  async function post(
    message: object,
    extra: Record<string, string> = {},
    who: Who = "alice",
  ): Promise<{ response: Response; body: RpcReply }> {
    const headers = {
      authorization: `Bearer ${tokens[who]}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...extra,
    };
    const response = await fetch(gateway.mcp, {
      method: "POST",
      headers,
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
    const text = await response.text();
    return { response, body: text.startsWith("{") ? (JSON.parse(text) as RpcReply) : {} };
  }
  async function call(name: string, who: Who = "alice"): Promise<string | undefined> {
    const { body } = await post({ id: 1, method: "tools/call", params: { name, arguments: {} } }, {}, who);
    return body.error?.data?.error_code ?? (body.result?.["content"] as { text: string }[] | undefined)?.[0]?.text;
  }

  for (const [tool, code] of Object.entries({
    "ten-thousand": "UPSTREAM_PROTOCOL_ERROR",
    "pages-without-end": "UPSTREAM_PROTOCOL_ERROR",
    renames: "CATALOG_DRIFT_DETECTED",
    "twice-listed": "UPSTREAM_PROTOCOL_ERROR",
    bomb: "CATALOG_DRIFT_DETECTED",
    "never-ends": "UPSTREAM_TIMEOUT",
    floods: "UPSTREAM_PROTOCOL_ERROR",
    unsolicited: "fine",
  })) {
    test(`a server that is ${tool}: ${code}, while other sessions are served`, async () => {
      const [own, other] = await Promise.all([call(tool), call("good", "bob")]);
      assert.deepEqual([own, other, await call("good")], [code, "fine", "fine"]);
    });
  }

  test("a schema's address is never fetched, not from a server's list and not from the catalog", async () => {
    const address = `http://127.0.0.1:${(schemas.address() as AddressInfo).port}/schema.json`;
    const config = await deploy(join(folder, "ref"), {
      tools: [{ name: "ref", url: "http://127.0.0.1:9/mcp", inputSchema: { $ref: address } }],
      policies: ALLOW_ALL,
    });
    await assert.rejects(
      startGateway(config, developmentEnvironment(newToken())),
      (thrown) => thrown instanceof StartRefused && /CATALOG_INVALID/.test(thrown.output),
    );
    assert.equal(fetched, 0);
  });

  test("a second answer to a call is nobody's", async () => {
    assert.equal(await call("answers-twice"), "first");
    assert.equal(await call("answers-twice", "bob"), "second");
  });

  test("a cursor that a server gave, or that nobody gave, leads nowhere", async () => {
    for (const cursor of ["2", "again", "AAAA"]) {
      const { body } = await post({ id: 1, method: "tools/list", params: { cursor } });
      assert.deepEqual([body.error?.code, body.error?.data?.error_code], [-32602, "CURSOR_INVALID"]);
    }
  });

  test("cancelling another's request, by its very id, cancels nothing", async () => {
    const open = async (who: Who): Promise<Record<string, string>> => {
      const { response } = await post(
        {
          id: 1,
          method: "initialize",
          params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "agent", version: "1" } },
        },
        {},
        who,
      );
      return { "mcp-session-id": response.headers.get("mcp-session-id") ?? "" };
    };
    const [mine, alsoMine, theirs] = [await open("alice"), await open("alice"), await open("bob")];
    const running = post({ id: 77, method: "tools/call", params: { name: "held", arguments: {} } }, mine);
    while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const cancel = { method: "notifications/cancelled", params: { requestId: 77 } };
    assert.equal((await post(cancel, alsoMine)).response.status, 202);
    assert.equal((await post(cancel, theirs, "bob")).response.status, 202);
    assert.equal(
      (await post(cancel, mine, "bob")).response.status,
      404,
      "a stolen handle is like one that does not exist",
    );
    assert.equal((await post(cancel)).response.status, 202);
    held[0]?.();
    assert.deepEqual((await running).body.result?.["content"], [{ type: "text", text: "at last" }]);
  });

  describe("in MCP 2026-07-28", () => {
    const ENVELOPE = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const headersOf = (method: string, name?: string): Record<string, string> => ({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(name === undefined ? {} : { "mcp-name": name }),
    });

    test("a requestState that is forged, another's, for another request or used already is refused; the right one is good once", async () => {
      const ask = async (params: object, who: Who = "alice"): Promise<RpcReply> =>
        (
          await post(
            {
              id: 1,
              method: "tools/call",
              params: { name: "slow", arguments: { topic: "asks" }, ...params, _meta: ENVELOPE },
            },
            headersOf("tools/call", "slow"),
            who,
          )
        ).body;
      const first = await ask({});
      const state = String(first.result?.["requestState"]);
      assert.doesNotMatch(Buffer.from(state, "base64url").toString("latin1"), /server/, "the server's state is sealed");
      const answered = { inputResponses: {}, requestState: state };
      const forged = `${state.slice(0, -2)}${state.endsWith("AA") ? "BB" : "AA"}`;
      const refused = [
        await ask({ ...answered, requestState: forged }),
        await ask(answered, "bob"),
        await ask({ ...answered, arguments: { topic: "asks more" } }),
        await ask({ ...answered, _cmcp: { session_id: "another" } }),
      ];
      for (const { error } of refused)
        assert.deepEqual([error?.code, error?.data?.error_code], [-32602, "REQUEST_STATE_INVALID"]);
      assert.ok((await ask(answered)).result?.["content"] !== undefined);
      assert.equal(modern.messages.at(-1)?.params.requestState, "the server's own");
      assert.equal((await ask(answered)).error?.data?.error_code, "REQUEST_STATE_INVALID", "a replay");
    });

    test("a flood of subscriptions is refused at the principal's bound, and others listen on", async () => {
      const listen = async (
        who: Who,
        filter: object = { toolsListChanged: true },
      ): Promise<{ response: Response; leave: () => void }> => {
        const leaving = new AbortController();
        const headers = {
          authorization: `Bearer ${tokens[who]}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headersOf("subscriptions/listen"),
        };
        const response = await fetch(gateway.mcp, {
          method: "POST",
          headers,
          signal: leaving.signal,
          body: JSON.stringify({
            jsonrpc: "2.0",
            id: 1,
            method: "subscriptions/listen",
            params: { notifications: filter, _meta: ENVELOPE },
          }),
        });
        return { response, leave: () => leaving.abort() };
      };
      const tooMany = await listen("alice", {
        resourceSubscriptions: Array.from({ length: 257 }, (_, n) => `file:///${n}`),
      });
      assert.equal(((await tooMany.response.json()) as RpcReply).error?.code, -32602);
      const flood = await Promise.all(Array.from({ length: 40 }, () => listen("alice")));
      const streams = flood.filter(({ response }) => response.headers.get("content-type") === "text/event-stream");
      const refused = flood.filter((one) => !streams.includes(one));
      assert.deepEqual([streams.length, refused.length], [32, 8]);
      for (const { response } of refused)
        assert.equal(((await response.json()) as RpcReply).error?.data?.error_code, "OVERLOADED");
      const other = await listen("bob");
      assert.equal(other.response.headers.get("content-type"), "text/event-stream");
      const { load } = (await (
        await fetch(`${gateway.url}/v1/status`, { headers: { authorization: `Bearer ${tokens.bob}` } })
      ).json()) as { load: { agent_streams: { open: number; max: number } } };
      assert.deepEqual(load.agent_streams, { open: 33, max: 1024 }, "an operator sees it");
      for (const { leave } of [...streams, other]) leave();
      assert.equal(await call("good"), "fine");
    });
  });
});
