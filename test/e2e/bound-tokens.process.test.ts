/** Tokens that are bound to a key of their sender (RFC 9449), through the shipped gateway, and workflows by scope. */
import assert from "node:assert/strict";
import { generateKeyPairSync, webcrypto } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { connect } from "@cmcp/client";
import { calculateJwkThumbprint } from "jose";
import { boundAgent, callBody, type BoundAgent } from "../gateway/bound-agent.ts";
import { cmcp } from "../gateway/cli.ts";
import { startConnect } from "../gateway/connected.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startGateway, type Gateway } from "../gateway/gateway.ts";
import { deployWithIdentity, IDENTITY, staff } from "../gateway/identity.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

const BEARER = "bound-tokens-test-token-0123456789abcdefghij";
const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const SCOPES = { "mcp:call": ["default"], "mcp:settle": ["settle"] };

describe("a gateway that takes tokens bound to a key", () => {
  let folder: string;
  let records: RecordsServer;
  let gateway: Gateway;
  let agent: BoundAgent;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-bound-"));
    records = await startRecordsServer();
    const [mine] = IDENTITY.jwt;
    const identity = { ...IDENTITY, jwt: [{ ...mine, scope_workflows: SCOPES }] };
    gateway = await startGateway(await deployWithIdentity(join(folder, "d"), records, identity), {
      CMCP_DEV_MODE: "1",
      CMCP_BEARER_TOKEN: BEARER,
    });
    agent = await boundAgent(gateway.url);
  });
  after(async () => {
    await gateway.stop();
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  const token = async (claims: Record<string, unknown> = {}, of = agent): Promise<string> =>
    await staff.token("desk-7", { scope: "mcp:call", cnf: of.confirmation, ...claims });
  const post = async (headers: Record<string, string>): Promise<Response> =>
    await fetch(gateway.mcp, {
      method: "POST",
      body: callBody(),
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    });

  test("a client of others is asked for a nonce once, calls, and the record names the key", async () => {
    const fresh = await boundAgent(gateway.url);
    const bound = await token({}, fresh);
    const first = await fresh.once(bound);
    assert.equal(first.status, 401);
    assert.match(first.headers.get("www-authenticate") ?? "", /^DPoP error="use_dpop_nonce", .*algs="[^"]*ES256/);
    assert.ok(first.headers.get("dpop-nonce"));
    for (const _ of [1, 2]) {
      const { status, headers, body } = await fresh.once(bound);
      assert.equal(status, 200, JSON.stringify(body));
      assert.ok(headers.get("dpop-nonce"));
    }
    assert.equal(fresh.sent.length, 3, "the nonce serves for more than one proof");
    const { body } = await fresh.once(bound);
    const { entries } = await fresh.export(bound, receiptOf(body).session_id);
    for (const entry of [entries[0], entries.at(-1)])
      assert.equal(entry?.detail?.["identity_key"], fresh.confirmation.jkt, entry?.entry_type);
  });

  test("what the host has seen lets nobody in: the token alone, the proof again, or another's proof", async () => {
    const bound = await token();
    assert.equal((await agent.call(bound)).status, 200);
    const reached = records.calls.length;
    const seen = agent.sent.at(-1)?.get("dpop") ?? "";
    const thief = await boundAgent(gateway.url);
    const cases: Record<string, readonly [Record<string, string>, RegExp]> = {
      "as a bearer token": [{ authorization: `Bearer ${bound}` }, /DPoP error="invalid_token"/],
      "as a bearer token, with the proof": [{ authorization: `Bearer ${bound}`, dpop: seen }, /error="invalid_token"/],
      "without a proof": [{ authorization: `DPoP ${bound}` }, /error="invalid_token"/],
      "with the proof again": [{ authorization: `DPoP ${bound}`, dpop: seen }, /error="invalid_dpop_proof"/],
      "with a text": [{ authorization: `DPoP ${bound}`, dpop: "x" }, /error="invalid_dpop_proof"/],
    };
    for (const [what, [headers, says]] of Object.entries(cases)) {
      const refused = await post(headers);
      assert.equal(refused.status, 401, what);
      assert.match(refused.headers.get("www-authenticate") ?? "", says, what);
    }
    const stolen = await thief.call(bound);
    assert.equal(stolen.status, 401);
    assert.match(stolen.headers.get("www-authenticate") ?? "", /error="invalid_token"/);
    assert.equal(records.calls.length, reached, "nothing reached the server");
  });

  test("a proof beside a plain bearer token is refused by name", async () => {
    const free = await staff.token("desk-7", { scope: "mcp:call" });
    for (const bearer of [free, BEARER]) {
      const refused = await post({ authorization: `Bearer ${bearer}`, dpop: agent.sent.at(-1)?.get("dpop") ?? "x" });
      const { error } = (await refused.json()) as RpcReply;
      assert.deepEqual([refused.status, error?.data?.error_code], [401, "UNAUTHENTICATED"]);
      assert.match(error?.message ?? "", /not bound to a key/);
      assert.equal((await post({ authorization: `Bearer ${bearer}` })).status, 200, "without the proof it counts");
    }
  });

  test("under the seal the proof is the agent's as well, and the host sees neither it nor the nonce", async () => {
    const expected = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
    const outer: string[] = [];
    const watching: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      outer.push(JSON.stringify([...request.headers]));
      const answer = await fetch(request);
      outer.push(JSON.stringify([...answer.headers]));
      return answer;
    };
    const connection = await connect(new URL(gateway.url), expected, { crypto: webcrypto, fetch: watching });
    const sealed = await boundAgent(gateway.url, connection.fetch);
    const bound = await token({}, sealed);
    assert.equal((await sealed.once(bound)).status, 401);
    const { status, headers } = await sealed.once(bound);
    assert.equal(status, 200);
    assert.ok(headers.get("dpop-nonce"));
    assert.doesNotMatch(outer.join(), /dpop/i);
  });

  test("cmcp connect shows a client's token with proofs of the key in a file, and of no other", async (t) => {
    const [{ publicKey, privateKey }, other] = [newKey(), newKey()];
    const bound = await token({ cnf: { jkt: await calculateJwkThumbprint(publicKey.export({ format: "jwk" })) } });
    const files = {
      "key.pem": privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      "key.jwk": JSON.stringify({ ...privateKey.export({ format: "jwk" }), key_ops: ["sign"], use: "sig" }),
      "other.pem": other.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      "rsa.pem": generateKeyPairSync("rsa", { modulusLength: 2048 })
        .privateKey.export({ type: "pkcs8", format: "pem" })
        .toString(),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const connected = async (name: string): Promise<string> => {
      const expected = ["--allow-software-only", "--dpop-key", join(folder, name)];
      const started = await startConnect(gateway.url, { expected, token: bound });
      t.after(() => started.stop());
      return started.url;
    };
    const call = async (url: string, authorization?: string): Promise<Response> =>
      await fetch(`${url}/mcp`, {
        method: "POST",
        body: callBody(),
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...(authorization === undefined ? {} : { authorization }),
        },
      });
    for (const name of ["key.pem", "key.jwk"]) {
      const url = await connected(name);
      // At the same time, so that more than one lacks the first nonce.
      const answers = await Promise.all([1, 2, 3].map(async () => await call(url)));
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200],
      );
      const { session_id: session } = receiptOf((await answers[0]?.json()) as RpcReply);
      assert.equal((await fetch(`${url}/audit/export?session_id=${session}`)).status, 200, "another path");
      assert.equal((await call(url, `Bearer ${BEARER}`)).status, 401, "a token that is bound to no key");
    }
    assert.equal((await call(await connected("other.pem"))).status, 401);
    const wrong = await cmcp(["connect", "--url", gateway.url, "--dpop-key", join(folder, "rsa.pem")]);
    assert.equal(wrong.code, 64);
    assert.match(wrong.stderr, /P-256/);
  });

  test("scopes choose the workflow of a call, and a token without one of them is told which", async () => {
    const workflow = async (scope: string, named?: string): Promise<string | undefined> =>
      (await agent.call(await token({ scope }), named)).body.error?.data?.error_code;
    assert.equal(await workflow("mcp:call"), undefined);
    assert.equal(await workflow("mcp:call", "settle"), "WORKFLOW_NOT_ALLOWED");
    assert.equal(await workflow("mcp:settle", "settle"), undefined);
    assert.equal(await workflow("mcp:settle", "default"), "WORKFLOW_NOT_ALLOWED");
    const none = await post({ authorization: `Bearer ${await staff.token("desk-7", { scope: "openid" })}` });
    assert.equal(none.status, 403);
    assert.match(
      none.headers.get("www-authenticate") ?? "",
      /^Bearer error="insufficient_scope", scope="mcp:call mcp:settle"/,
    );
    assert.equal(((await none.json()) as RpcReply).error?.data?.error_code, "SCOPE_INSUFFICIENT");
  });
});
