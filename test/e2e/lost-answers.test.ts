/** A client under the seal whose host loses answers: it learns what became of its call, and never makes a second one. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { auditBundleSchema } from "@cmcp/audit/schema";
import { CmcpError, formatIdempotencyKey, IDEMPOTENCY_META_KEY } from "@cmcp/boundary";
import { connect, type Connection } from "@cmcp/client";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { receiptOf, startFixture, type Fixture, type RpcReply } from "../gateway/fixture.ts";

const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
/** What a host makes of an answer to a sealed request. */
type Treatment = (pass: () => Promise<Response>) => Promise<Response>;
const PASSED_ON: Treatment = async (pass) => await pass();
const LOST: Treatment = async (pass) => {
  await (await pass()).arrayBuffer();
  return new Response(null, { status: 503 });
};
const BROKEN: Treatment = async (pass) => {
  await (await pass()).arrayBuffer();
  throw new TypeError("the connection was cut");
};
const CUT: Treatment = async (pass) => {
  const answer = await pass();
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return new Response(bytes.slice(0, -1), { status: 200, headers: answer.headers });
};
const NOT_PASSED_ON: Treatment = async () => new Response(null, { status: 503 });

describe("a host that loses answers", () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await startFixture();
  });
  after(async () => {
    await fixture.close();
  });

  /** A connection whose host treats its sealed requests so, one after the other; those behind are passed on. */
  async function connected(
    ...treatments: readonly Treatment[]
  ): Promise<Connection & { readonly sealed: () => number }> {
    let sealed = 0;
    const connection = await connect(new URL(fixture.gateway.url), EXPECTED, {
      crypto: webcrypto,
      sleep: async () => undefined,
      fetch: async (input, init) => {
        const request = new Request(input, init);
        if (!request.url.endsWith("/sealed")) return await fetch(request);
        sealed += 1;
        return await (treatments[sealed - 1] ?? PASSED_ON)(async () => await fetch(request));
      },
    });
    return { ...connection, sealed: () => sealed };
  }
  const post = async ({ fetch: sealedFetch }: Connection, params: object): Promise<Response> =>
    await sealedFetch(fixture.gateway.mcp, {
      method: "POST",
      headers: {
        authorization: `Bearer ${fixture.token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
    });
  const message = (to: string, rest: object = {}): object => ({
    name: "send_message",
    arguments: { to, text: "x" },
    ...rest,
  });
  const reached = (to: string): number =>
    fixture.records.calls.filter((call) => (call.arguments as { to?: string }).to === to).length;
  const failure = async (reply: Promise<Response>): Promise<CmcpError> => {
    try {
      await (await reply).text();
    } catch (thrown) {
      if (thrown instanceof CmcpError) return thrown;
      throw thrown;
    }
    return assert.fail("the answer arrived");
  };

  test("each call has a key of its own, and a caller's own key stays", async () => {
    const connection = await connected();
    const own = formatIdempotencyKey(0, new Uint8Array(16));
    const sent = receiptOf((await (await post(connection, message("keyed"))).json()) as RpcReply);
    const refused = (await (
      await post(connection, message("own", { _meta: { [IDEMPOTENCY_META_KEY]: own } }))
    ).json()) as RpcReply;
    assert.equal(refused.error?.data?.error_code, "IDEMPOTENCY_KEY_REFUSED", "it is from before the log");
    const bundle = await connection.fetch(`${fixture.gateway.url}/audit/export?session_id=${sent.session_id}`, {
      headers: { authorization: `Bearer ${fixture.token}` },
    });
    const { entries } = auditBundleSchema.parse(await bundle.json());
    const entry = entries.find(({ call_id: id }) => id === sent.call_id);
    assert.match(String(entry?.detail?.["idempotency_key"]), /^[0-9a-f]{64}$/);
    // The size of the log, the call, the call with its own key, the export.
    assert.equal(connection.sealed(), 4);
  });

  for (const [what, treatment] of [
    ["answered by the host", LOST],
    ["broken off", BROKEN],
    ["cut before its end", CUT],
  ] as const)
    test(`an answer that is ${what} is asked for, and its call has run once`, async () => {
      const to = `lost: ${what}`;
      const connection = await connected(PASSED_ON, treatment);
      const { code, detail, message: text } = await failure(post(connection, message(to)));
      assert.equal(code, "SEAL_ANSWER_LOST");
      assert.deepEqual([detail["state"], detail["decision"], detail["outcome"]], ["ended", "allow", "delivered"]);
      assert.match(text, /decision allow, outcome delivered/);
      assert.equal(reached(to), 1);
      // The size of the log, the call, and one question or more while its end is stored.
      assert.ok(connection.sealed() >= 3);
    });

  test("a call with a key of its caller's is asked for by that key", async () => {
    const connection = await connected(PASSED_ON, LOST);
    const status = await connection.fetch(`${fixture.gateway.url}/v1/status`, {
      headers: { authorization: `Bearer ${fixture.token}` },
    });
    const { log } = (await status.json()) as { log: { size: number } };
    const own = formatIdempotencyKey(log.size, new Uint8Array(16).fill(7));
    const { code, detail } = await failure(
      post(connection, message("own", { _meta: { [IDEMPOTENCY_META_KEY]: own } })),
    );
    assert.deepEqual([code, detail["idempotency_key"], detail["decision"]], ["SEAL_ANSWER_LOST", own, "allow"]);
  });

  test("a call that its caller repeats under its own key is answered again, held to its receipt", async () => {
    const connection = await connected();
    const { log } = (await (
      await connection.fetch(`${fixture.gateway.url}/v1/status`, {
        headers: { authorization: `Bearer ${fixture.token}` },
      })
    ).json()) as { log: { size: number } };
    const own = formatIdempotencyKey(log.size, new Uint8Array(16).fill(9));
    const repeated = message("repeated", { _meta: { [IDEMPOTENCY_META_KEY]: own } });
    const first = await (await post(connection, repeated)).text();
    // The log grows, so that the receipt is older than what the client knows of it.
    await (await post(connection, message("between"))).text();
    assert.equal(await (await post(connection, repeated)).text(), first);
    assert.equal(reached("repeated"), 1);
    const elsewhere = await (await post(connection, { ...repeated, _cmcp: { session_id: "another" } })).text();
    assert.match(elsewhere, /IDEMPOTENCY_ENDED/);
    await connection.close();
  });

  test("a request that never arrived is said to be unseen, and is not sent again", async () => {
    const connection = await connected(PASSED_ON, NOT_PASSED_ON);
    const { code, detail } = await failure(post(connection, message("withheld")));
    assert.deepEqual([code, detail["state"]], ["SEAL_OUTCOME_UNKNOWN", "unseen"]);
    assert.deepEqual([reached("withheld"), connection.sealed()], [0, 3]);
  });

  test("where the question is lost too, the outcome is unknown, and the key is there to ask later", async () => {
    const connection = await connected(PASSED_ON, LOST, LOST);
    const { code, detail } = await failure(post(connection, message("all lost")));
    assert.deepEqual([code, detail["state"]], ["SEAL_OUTCOME_UNKNOWN", undefined]);
    const later = await connection.fetch(`${fixture.gateway.url}/calls?idempotency_key=${detail["idempotency_key"]}`, {
      headers: { authorization: `Bearer ${fixture.token}` },
    });
    assert.equal(((await later.json()) as { state: string }).state, "ended");
    assert.equal(reached("all lost"), 1);
  });

  test("where the gateway does not say how long its log is, nothing is sent", async () => {
    const connection = await connected(NOT_PASSED_ON);
    assert.equal((await failure(post(connection, message("no size")))).code, "GATEWAY_ANSWER_INVALID");
    assert.deepEqual([reached("no size"), connection.sealed()], [0, 1]);
  });

  test("a request whose caller has gone is not asked for", async () => {
    const gone = new AbortController();
    const connection = await connected(PASSED_ON, async (pass) => {
      gone.abort();
      return await pass();
    });
    await assert.rejects(
      connection.fetch(fixture.gateway.mcp, {
        method: "POST",
        headers: { authorization: `Bearer ${fixture.token}` },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: message("gone") }),
        signal: gone.signal,
      }),
      { name: "AbortError" },
    );
    assert.equal(connection.sealed(), 2);
  });

  test("what makes no call goes as it is, and a gateway that refuses the token says so itself", async () => {
    const connection = await connected();
    const ask = async (body: string, token = fixture.token): Promise<Response> =>
      await connection.fetch(fixture.gateway.mcp, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body,
      });
    for (const body of ["no json", "[]", '{"jsonrpc":"2.0","id":1,"method":"ping"}', '{"jsonrpc":"2.0","id":1,"id":2}'])
      await (await ask(body)).text();
    assert.equal(connection.sealed(), 4, "nobody asked for the size of the log");
    const call = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: message("unknown token") });
    assert.equal((await ask(call, "another-token")).status, 401);
    assert.equal(reached("unknown token"), 0);
  });

  test("official clients of both eras are told what became of a call whose answer was lost", async () => {
    for (const mode of ["legacy", "auto"] as const) {
      let losing = false;
      const connection = await connect(new URL(fixture.gateway.url), EXPECTED, {
        crypto: webcrypto,
        sleep: async () => undefined,
        fetch: async (input, init) => {
          const request = new Request(input, init);
          if (!losing || !request.url.endsWith("/sealed")) return await fetch(request);
          losing = false;
          return await LOST(async () => await fetch(request));
        },
      });
      const client = new Client({ name: "agent", version: "1" }, { versionNegotiation: { mode } });
      const headers = { authorization: `Bearer ${fixture.token}` };
      const transport = new StreamableHTTPClientTransport(new URL(fixture.gateway.mcp), {
        fetch: connection.fetch,
        requestInit: { headers },
      });
      await client.connect(transport);
      // With this the size of the log is known, and the next sealed request is the call.
      await client.callTool({ name: "send_message", arguments: { to: `${mode} before`, text: "x" } });
      losing = true;
      await assert.rejects(
        client.callTool({ name: "send_message", arguments: { to: `${mode} lost`, text: "x" } }),
        (thrown: Error & { readonly code?: string }) => thrown.code === "SEAL_ANSWER_LOST",
      );
      assert.equal(reached(`${mode} lost`), 1);
      await client.close();
    }
  });
});
