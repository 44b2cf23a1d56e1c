/** JWTs of measured issuers, and what policy and record see of them, through the shipped gateway. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { clientOf } from "../gateway/client.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { listenInBothEras } from "../gateway/listening.ts";
import { deployWithIdentity, guests, staff } from "../gateway/identity.ts";
import { AUDIENCE, makeIssuer, unsigned } from "../gateway/issuer.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

const BEARER = "identity-test-token-0123456789abcdefghijkl";
const METADATA = "https://gateway.bank.example/.well-known/oauth-protected-resource/mcp";
const MESSAGE = { to: "ops@example.org", text: "hello" };
const PATIENT = { patient_id: "P-1001" };

describe("a gateway that accepts JWTs", () => {
  let folder: string;
  let records: RecordsServer;
  let gateway: Gateway;
  const upstream: IncomingMessage[] = [];
  const observe = (message: unknown): void => {
    upstream.push((message as { request: IncomingMessage }).request);
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-identity-"));
    records = await startRecordsServer();
    gateway = await startGateway(await deployWithIdentity(join(folder, "d"), records), {
      CMCP_DEV_MODE: "1",
      CMCP_BEARER_TOKEN: BEARER,
    });
    subscribe("http.server.request.start", observe);
  });
  after(async () => {
    unsubscribe("http.server.request.start", observe);
    await gateway.stop();
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  const post = async (
    token: string,
    headers: Record<string, string> = {},
    name = "send_message",
    args: object = MESSAGE,
    context: object = {},
  ): Promise<{ response: Response; body: RpcReply }> => {
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name, arguments: args, _cmcp: context },
    });
    const response = await fetch(gateway.mcp, {
      method: "POST",
      body,
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers,
      },
    });
    return { response, body: (await response.json()) as RpcReply };
  };

  test("a subject calls as its measured principal, and root and entry say who it was by whose word", async () => {
    const token = await staff.token("desk-7");
    const { response, body } = await post(token);
    assert.equal(response.status, 200, JSON.stringify(body));
    const { entries } = await clientOf(gateway, token).export(receiptOf(body).session_id);
    const said = { identity_source: "jwt", identity_issuer: staff.url, identity_subject: "desk-7" };
    for (const entry of [entries[0], entries.at(-1)])
      for (const [name, value] of Object.entries(said))
        assert.equal(entry?.detail?.[name], value, `${entry?.entry_type} ${name}`);
    assert.equal(entries[0]?.detail?.["principal"], "desk");
  });

  test("bearer tokens work as before, and the record says so", async () => {
    const { response, body } = await post(BEARER);
    assert.equal(response.status, 200);
    const { entries } = await clientOf(gateway, BEARER).export(receiptOf(body).session_id);
    assert.deepEqual(
      [
        entries[0]?.detail?.["identity_source"],
        entries[0]?.detail?.["principal"],
        entries[0]?.detail?.["identity_subject"],
      ],
      ["bearer", "default", undefined],
    );
  });

  test("one subject of two issuers is two principals with sessions of their own", async () => {
    const mine = receiptOf((await post(await staff.token("desk-7"))).body).session_id;
    const { body } = await post(await guests.token("desk-7"), {}, "get_patient_record", PATIENT);
    const theirs = receiptOf(body).session_id;
    assert.notEqual(mine, theirs);
    const foreign = await fetch(`${gateway.url}/audit/export?session_id=${mine}`, {
      headers: { authorization: `Bearer ${await guests.token("desk-7")}` },
    });
    assert.equal(foreign.status, 404);
  });

  test("issuer, subject, source and claims reach the rules", async () => {
    const code = async (token: string, name?: string, args?: object): Promise<string | undefined> =>
      (await post(token, {}, name, args)).body.error?.data?.error_code;
    assert.equal(await code(await staff.token("bert")), undefined);
    assert.equal(await code(await staff.token("anna")), "POLICY_DENY");
    assert.equal(await code(await guests.token("desk-7")), "POLICY_DENY");
    assert.equal(await code(await staff.token("bert", { unit: "care" }), "get_patient_record", PATIENT), undefined);
    for (const claims of [{}, { unit: "fx" }, { unit: "x=care" }, { other: "care" }])
      assert.equal(
        await code(await staff.token("carl", claims), "get_patient_record", PATIENT),
        "POLICY_DENY",
        JSON.stringify(claims),
      );
    assert.equal(await code(BEARER, "get_patient_record", PATIENT), "POLICY_DENY");
    assert.equal(
      await code(await staff.token("carl", { unit: ["care"] }), "get_patient_record", PATIENT),
      "UNAUTHENTICATED",
      "a claim of another type refuses the token",
    );
  });

  test("workflows are the principal's, or the fewer its subject has", async () => {
    const allowed = async (subject: string, workflow: string): Promise<boolean> =>
      (await post(await staff.token(subject), {}, undefined, undefined, { workflow_id: workflow })).body.error?.data
        ?.error_code !== "WORKFLOW_NOT_ALLOWED";
    assert.deepEqual(
      [
        await allowed("desk-7", "settle"),
        await allowed("auditor", "settle"),
        await allowed("auditor", "default"),
        await allowed("dora", "settle"),
        await allowed("dora", "default"),
      ],
      [true, false, true, false, true],
    );
  });

  test("every other token is refused, and nothing of it leaves", async () => {
    const reached = records.calls.length;
    const now = Math.floor(Date.now() / 1000);
    const stranger = makeIssuer(staff.url);
    const good = await staff.token("desk-7");
    const [head = "", claims = "", signature = ""] = good.split(".");
    const twice = Buffer.from(`${Buffer.from(claims, "base64url").toString().slice(0, -1)},"sub":"anna"}`).toString(
      "base64url",
    );
    const wrong: Record<string, string> = {
      "no signature": unsigned(staff, "desk-7"),
      "signature taken off": `${head}.${claims}.`,
      "HS256 with the public key": staff.confused("desk-7"),
      "another's key under the same kid": await stranger.token("desk-7"),
      "another's key, embedded": await stranger.token(
        "desk-7",
        {},
        { jwk: { kty: "EC" }, jku: "https://evil.example/keys", x5u: "https://evil.example/cert" },
      ),
      "an unknown kid": await staff.token("desk-7", {}, { kid: "other" }),
      "the other issuer's name": await staff.token("desk-7", { iss: guests.url }),
      "an unknown issuer": await makeIssuer("https://evil.example/").token("desk-7"),
      "an issuer spelled otherwise": await staff.token("desk-7", { iss: "https://login.bank.example" }),
      "another audience": await staff.token("desk-7", { aud: "https://elsewhere.example/" }),
      "no audience": await staff.token("desk-7", { aud: undefined }),
      expired: await staff.token("desk-7", { iat: now - 900, exp: now - 300 }),
      "no end": await staff.token("desk-7", { exp: undefined }),
      "not yet valid": await staff.token("desk-7", { nbf: now + 300 }),
      "another type": await staff.token("desk-7", {}, { typ: "JWT" }),
      "a member twice": `${head}.${twice}.${signature}`,
      "a subject that does not fit a principal": await staff.token("a b"),
      "an unknown subject": await guests.token("anna"),
    };
    for (const [what, token] of Object.entries(wrong)) {
      const { response, body } = await post(token);
      assert.deepEqual([response.status, body.error?.data?.error_code], [401, "UNAUTHENTICATED"], what);
      assert.equal(
        response.headers.get("www-authenticate"),
        `Bearer error="invalid_token", resource_metadata="${METADATA}"`,
        what,
      );
    }
    const { response, body } = await post(await staff.token("desk-7", { pad: "x".repeat(6_200) }));
    assert.deepEqual(
      [response.status, body.error?.data?.error_code],
      [400, "MCP_INVALID_REQUEST"],
      "the host refuses a header over its bound",
    );
    assert.equal(records.calls.length, reached);
    assert.equal((await post(good)).response.status, 200, "the token they were made from is good");
  });

  test("a stream that an agent listens on ends with its token, in both eras", {
    timeout: 60_000 * PATIENCE,
  }, async () => {
    const token = await guests.token("desk-7", { exp: Math.ceil(Date.now() / 1000) + 3 * PATIENCE });
    const streams = await listenInBothEras(gateway, token);
    assert.match(await streams.modern.text(), /"id":7,"result":/, "the subscription ends with its result");
    assert.doesNotMatch(await streams.legacy.text(), /data: \{/);
    assert.equal((await post(token)).response.status, 401);
  });

  test("who has no token is told where to get one, and the document is for everybody", async () => {
    const refused = await fetch(gateway.mcp, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    });
    assert.deepEqual(
      [refused.status, refused.headers.get("www-authenticate")],
      [401, `Bearer resource_metadata="${METADATA}"`],
    );
    for (const path of ["/.well-known/oauth-protected-resource", new URL(METADATA).pathname]) {
      const document = await fetch(`${gateway.url}${path}`);
      assert.equal(document.status, 200);
      assert.deepEqual(await document.json(), {
        resource: AUDIENCE,
        authorization_servers: [staff.url, guests.url],
        bearer_methods_supported: ["header"],
        scopes_supported: ["mcp:call"],
        dpop_signing_alg_values_supported: ["EdDSA", "ES256", "ES384", "RS256", "PS256", "Ed25519"],
      });
      assert.equal((await fetch(`${gateway.url}${path}`, { method: "POST" })).status, 405);
    }
    assert.equal((await fetch(`${gateway.url}/.well-known/oauth-protected-resource/other`)).status, 401);
  });

  test("no server ever sees an agent's token", async () => {
    upstream.length = 0;
    const token = await staff.token("desk-7");
    for (const sent of [token, BEARER]) assert.equal((await post(sent)).response.status, 200);
    const seen = upstream.filter(({ socket }) => socket.localPort === records.port);
    assert.ok(seen.length > 0, "the server was reached");
    for (const { headers, rawHeaders } of seen) {
      assert.equal(headers.authorization, undefined);
      assert.equal(
        rawHeaders.some((text) => text.includes(token) || text.includes(BEARER)),
        false,
      );
    }
  });

  test("an agent cannot speak for the host", async () => {
    const { response, body } = await post(BEARER, { "x-cmcp-host-asserted-spiffe-id": "spiffe://bank.example/yard/1" });
    assert.equal(response.status, 200, JSON.stringify(body));
    const { entries } = await clientOf(gateway, BEARER).export(receiptOf(body).session_id);
    assert.equal(JSON.stringify(entries).includes("spiffe"), false);
  });
});
