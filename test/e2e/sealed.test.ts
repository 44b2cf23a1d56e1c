/** Agents under the seal, through a real host: official clients, both eras, and a host that sees and replays everything. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { preset } from "@cmcp/appraise";
import { auditBundleSchema, receiptSchema, RECEIPT_META_KEY } from "@cmcp/audit/schema";
import { EAT_PROFILES } from "@cmcp/claim/schema";
import { connect, type Connection } from "@cmcp/client";
import { verifyClaim } from "@cmcp/verify";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { startFixture, type Fixture } from "../gateway/fixture.ts";
import { startInProcess } from "../gateway/in-process.ts";

const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
const OPENING = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
};

describe("an agent under the seal", () => {
  let fixture: Fixture;
  /** Everything that the host was sent and answered with, as bytes. */
  const transcript: Buffer[] = [];
  const sent: { readonly url: string; readonly body: Uint8Array | null }[] = [];
  const recording: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const body = request.body === null ? null : new Uint8Array(await request.clone().arrayBuffer());
    sent.push({ url: request.url, body });
    transcript.push(Buffer.from(`${request.method} ${request.url} ${JSON.stringify([...request.headers])}`));
    if (body !== null) transcript.push(Buffer.from(body));
    const answer = await fetch(request);
    const copy = answer.body?.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          transcript.push(Buffer.from(chunk));
          controller.enqueue(chunk);
        },
      }),
    );
    return new Response(copy ?? null, { status: answer.status, headers: answer.headers });
  };
  let connection: Connection;
  const headers = (): Record<string, string> => ({ authorization: `Bearer ${fixture.token}` });
  before(async () => {
    fixture = await startFixture(async (config, environment) => {
      const text = await readFile(config, "utf8");
      await writeFile(config, `${text}enclave: {channel: sealed}\n`);
      return await startInProcess(config, environment);
    });
    connection = await connect(new URL(fixture.gateway.url), EXPECTED, { crypto: webcrypto, fetch: recording });
  });
  after(async () => {
    await fixture.close();
  });

  const MARKER = "the-marker-of-this-test";

  test("official clients work through it unchanged, in both eras", async () => {
    for (const mode of ["legacy", "auto"] as const) {
      const client = new Client({ name: "v2", version: "1" }, { versionNegotiation: { mode } });
      await client.connect(
        new StreamableHTTPClientTransport(new URL(fixture.gateway.mcp), {
          fetch: connection.fetch,
          requestInit: { headers: headers() },
        }),
      );
      assert.ok((await client.listTools()).tools.some(({ name }) => name === "echo"));
      const result = await client.callTool({ name: "echo", arguments: { message: MARKER } });
      assert.match(JSON.stringify(result.content), new RegExp(MARKER));
      assert.equal(receiptSchema.parse(result._meta?.[RECEIPT_META_KEY]).channel, "sealed");
      await client.close();
    }
    const client = new V1Client({ name: "v1", version: "1" });
    const transport = new V1Transport(new URL(fixture.gateway.mcp), {
      fetch: connection.fetch,
      requestInit: { headers: headers() },
    });
    await client.connect(transport);
    const denied = await client.callTool({ name: "get-env", arguments: {} });
    assert.equal(receiptSchema.parse(denied._meta?.[RECEIPT_META_KEY]).decision, "deny");
    await transport.terminateSession();
    await client.close();
  });

  test("the host saw neither what was asked and answered, nor a token, nor a path", () => {
    const seen = Buffer.concat(transcript);
    assert.ok(transcript.length > 20 && seen.length > 10_000);
    for (const marker of [MARKER, fixture.token, "Bearer", "tools/call", "jsonrpc", "mcp-session-id", "get-env"])
      assert.ok(!seen.includes(marker), marker);
    const paths = new Set(sent.map(({ url }) => new URL(url).pathname));
    // Whether the log is published is asked in the clear: a checkpoint is for anybody.
    assert.deepEqual(paths, new Set(["/attestation", "/sealed", "/checkpoint"]));
  });

  test("a request in the clear is refused before its token is looked at, whoever sends it", async () => {
    for (const path of ["/mcp", "/v1/status", "/attestation?nonce=0123456789abcdef", "/calls?idempotency_key=1"]) {
      const reply = await fixture.request(path, { method: path === "/mcp" ? "POST" : "GET" });
      assert.equal(reply.status, 403, path);
      assert.match(await reply.text(), /SEAL_REQUIRED/);
    }
    for (const path of ["/readyz", "/attestation"])
      assert.equal((await fetch(`${fixture.gateway.url}${path}`)).status, 200);
  });

  test("a replayed request is never acted on again", async () => {
    const before = fixture.records.calls.length;
    const bodies = sent.filter(({ url }) => url.endsWith("/sealed")).map(({ body }) => body);
    const outcomes = new Set<string>();
    for (const body of bodies)
      for (let again = 0; again < 3; again += 1) {
        const reply = await fetch(`${fixture.gateway.url}/sealed`, {
          method: "POST",
          headers: { "content-type": "message/ohttp-chunked-req" },
          body: Buffer.from(body ?? new Uint8Array()),
        });
        outcomes.add(`${reply.status} ${reply.headers.get("content-type")}`);
        await reply.arrayBuffer();
      }
    // The refusal is sealed: only who made the request could read it.
    assert.deepEqual(outcomes, new Set(["200 message/ohttp-chunked-res"]));
    assert.equal(fixture.records.calls.length, before);
  });

  test("the record says sealed, and a session is found by its name over its own channel only", async () => {
    const call = async (label: string) => {
      const reply = await connection.fetch(`${fixture.gateway.url}/mcp`, {
        method: "POST",
        headers: { ...headers(), "content-type": "application/json", accept: "application/json, text/event-stream" },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: "echo", arguments: { message: "hi" }, _cmcp: { session_id: label } },
        }),
      });
      const body = (await reply.json()) as { readonly result: { readonly _meta: Readonly<Record<string, unknown>> } };
      return receiptSchema.parse(body.result._meta[RECEIPT_META_KEY]).session_id;
    };
    const session = await call("work");
    assert.equal(await call("work"), session);
    const exported = await connection.fetch(`${fixture.gateway.url}/audit/export?session_id=${session}`, {
      headers: headers(),
    });
    const { entries } = auditBundleSchema.parse(await exported.json());
    assert.equal(entries[0]?.detail?.["channel"], "sealed");
    const closed = await connection.fetch(`${fixture.gateway.url}/sessions/${session}/close`, {
      method: "POST",
      headers: headers(),
    });
    const { seal: sealKeys = "" } = connection.verdict.keys ?? {};
    const terms = { ...EXPECTED, now: new Date(), eatProfile: EAT_PROFILES[0], requireSealed: true, sealKeys };
    const ended = await connection.fetch(`${fixture.gateway.url}/audit/export?session_id=${session}`, {
      headers: headers(),
    });
    const [claim, bundle] = await Promise.all([closed, ended].map(async (reply) => await reply.bytes()));
    assert.ok(claim !== undefined && bundle !== undefined);
    const verdict = await verifyClaim({ claim, bundle }, terms, webcrypto);
    const { channel, sealKeys: named } = verdict.conditions;
    assert.deepEqual([verdict.outcome, channel, named], ["accepted", "sealed", [sealKeys]]);
  });

  test("an answer of the host in place of the enclave's is no answer, and nothing is sent in the clear", async () => {
    for (const [status, type] of [
      [200, "application/json"],
      [400, "message/ohttp-chunked-res"],
      [503, "application/json"],
    ] as const) {
      let requests = 0;
      const lying = await connect(new URL(fixture.gateway.url), EXPECTED, {
        crypto: webcrypto,
        fetch: async (input, init) => {
          const request = new Request(input, init);
          if (!request.url.endsWith("/sealed")) return await fetch(request);
          requests += 1;
          return new Response("{}", { status, headers: { "content-type": type } });
        },
      });
      await assert.rejects(
        lying.fetch(fixture.gateway.mcp, { method: "POST", headers: headers(), body: JSON.stringify(OPENING) }),
        { code: "SEAL_OUTCOME_UNKNOWN" },
      );
      assert.equal(requests, 1, "it is not sent again");
    }
  });

  test("an answer that the host cuts, changes or takes from another request is found", async () => {
    let kept: Uint8Array | null = null;
    const changes: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => bytes.subarray(0, -1),
      (bytes) => bytes.subarray(0, 40),
      (bytes) => bytes.with(60, (bytes[60] ?? 0) ^ 1),
      (bytes) => {
        const other = kept;
        kept = bytes;
        return other ?? bytes.subarray(0, 1);
      },
    ];
    for (const change of [...changes, changes[3] ?? assert.fail()]) {
      const lying = await connect(new URL(fixture.gateway.url), EXPECTED, {
        crypto: webcrypto,
        fetch: async (input, init) => {
          const request = new Request(input, init);
          const answer = await fetch(request);
          if (!request.url.endsWith("/sealed")) return answer;
          const bytes = change(new Uint8Array(await answer.arrayBuffer()));
          return new Response(Buffer.from(bytes), { status: 200, headers: answer.headers });
        },
      });
      await assert.rejects(
        async () => {
          const reply = await lying.fetch(`${fixture.gateway.url}/v1/status`, { headers: headers() });
          await reply.text();
        },
        (thrown: { readonly code?: string; readonly cause?: { readonly code?: string } }) =>
          ["SEAL_OUTCOME_UNKNOWN", "SEAL_NOT_OPENED"].includes(thrown.code ?? thrown.cause?.code ?? ""),
      );
    }
  });

  test("an answer that its reader leaves is left at the host too, also when the request was collected before", async () => {
    const listen = {
      jsonrpc: "2.0",
      id: 7,
      method: "subscriptions/listen",
      params: {
        notifications: { toolsListChanged: true },
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    };
    let outer: AbortSignal | null | undefined;
    const long = await connect(new URL(fixture.gateway.url), EXPECTED, {
      crypto: webcrypto,
      fetch: async (input, init) => {
        if (init?.method === "POST") outer = init.signal;
        return await fetch(input, init);
      },
    });
    const gone = new AbortController();
    const answer = await long.fetch(fixture.gateway.mcp, {
      method: "POST",
      headers: {
        ...headers(),
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen",
      },
      body: JSON.stringify(listen),
      signal: gone.signal,
    });
    assert.match(answer.headers.get("content-type") ?? "", /^text\/event-stream/);
    const reading = assert.rejects(answer.text());
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    for (let turn = 0; turn < 10; turn += 1) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    gone.abort();
    assert.equal(outer?.aborted, true);
    await reading;
  });

  test("nothing is sent to a gateway that is not what was expected", async () => {
    const { signing = "" } = connection.verdict.keys ?? {};
    for (const expected of [
      { ...EXPECTED, allowSoftwareOnly: false },
      { ...EXPECTED, trustedKey: `${signing[0] === "A" ? "B" : "A"}${signing.slice(1)}` },
      { ...EXPECTED, policyHash: `sha256:${"0".repeat(64)}` },
    ]) {
      const asked: string[] = [];
      await assert.rejects(
        connect(new URL(fixture.gateway.url), expected, {
          crypto: webcrypto,
          fetch: async (input, init) => {
            asked.push(new Request(input, init).url);
            return await fetch(input, init);
          },
        }),
        { code: "INSTANCE_NOT_ACCEPTED" },
      );
      assert.deepEqual(asked, [`${fixture.gateway.url}/attestation`]);
    }
    await assert.rejects(connection.fetch("http://elsewhere.example/mcp"), { code: "USAGE" });
  });

  test("an instance that is replaced, or whose report is stale, is verified again before anything is sent", async () => {
    let [now, asked] = [0, 0];
    let report: ((answer: Response) => Promise<Response>) | null = null;
    const sealed: string[] = [];
    const long = await connect(new URL(fixture.gateway.url), EXPECTED, {
      crypto: webcrypto,
      monotonic: () => now,
      fetch: async (input, init) => {
        const request = new Request(input, init);
        if (request.url.endsWith("/sealed")) sealed.push(request.url);
        else asked += 1;
        const answer = await fetch(request);
        return report === null || request.url.endsWith("/sealed") ? answer : await report(answer);
      },
    });
    const ask = async (): Promise<number> =>
      (await long.fetch(`${fixture.gateway.url}/v1/status`, { headers: headers() })).status;
    assert.equal(await ask(), 200);
    now += 600_000;
    asked = 0;
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [200, 200, 200]);
    assert.equal(asked, 1, "its keys are asked for again, once");
    now += 600_000;
    report = async () => new Response(null, { status: 503 });
    await assert.rejects(ask(), { code: "GATEWAY_ANSWER_INVALID" });
    now += 600_000;
    report = async (answer) => {
      const other = (await answer.json()) as { binding: { keys: { signing: string } } };
      other.binding.keys.signing = "A".repeat(43);
      return Response.json(other);
    };
    await assert.rejects(ask(), { code: "INSTANCE_CHANGED" });
    assert.equal(sealed.length, 4);
  });
});
