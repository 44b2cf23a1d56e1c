/** Tokens for tool servers that each caller consents to, by a browser, with the caller's own login first. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { ConsentingBrowser } from "../gateway/consenting-browser.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { serveText, startAuthorizationServer, type AuthorizationServer } from "../servers/authorization-server.ts";
import { freePort } from "../servers/everything-server.ts";
import { startProtectedServer, type ProtectedServer } from "../servers/protected-server.ts";

const SCOPE = "records:read";
const TOKEN = "token-of-nobody-0123456789abcdefghijkl";
const POLICIES = `${ALLOW_ALL}
@id("confirmed") forbid (principal, action, resource) when { context.server_grant == "unconfirmed_consent" };
`;

interface Reply {
  readonly result?: JsonObject & {
    readonly requestState?: string;
    readonly inputRequests?: Record<string, JsonObject>;
  };
  readonly error?: {
    readonly message: string;
    readonly data: JsonObject & { readonly consent?: { readonly url: string } };
  };
}

describe("a server that each caller's person consents to", { timeout: 180_000 * PATIENCE }, () => {
  let folder = "";
  let server: ProtectedServer;
  let issuer: AuthorizationServer;
  let gateway: Gateway;
  let jwks: Awaited<ReturnType<typeof serveText>>;
  let person: string | null = "ada";
  const browser = new ConsentingBrowser();
  let resource = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-consent-"));
    server = await startProtectedServer(SCOPE);
    const port = await freePort();
    resource = `http://127.0.0.1:${port}/mcp`;
    jwks = await serveText(async () => await (await fetch(`http://127.0.0.1:${port}/oauth/jwks`)).text());
    issuer = await startAuthorizationServer({
      clients: [
        {
          client_id: "gateway",
          application_type: "native",
          grant_types: ["authorization_code"],
          response_types: ["code"],
          redirect_uris: [`http://127.0.0.1:${port}/oauth/callback`],
          token_endpoint_auth_method: "private_key_jwt",
          token_endpoint_auth_signing_alg: "ES256",
          jwks_uri: jwks.url,
        },
      ],
      resource: () => ({ audience: server.url, scope: SCOPE }),
      person: () => person,
    });
    server.trust(issuer);
    const known = { issuer: issuer.issuer, tls_fingerprint: issuer.fingerprint };
    const authorization = {
      grant: "consent",
      client_id: "gateway",
      scopes: [SCOPE],
      issuers: [known],
      login: { ...known, client_id: "gateway" },
      unconfirmed: true,
    };
    const tls_fingerprint = server.fingerprint;
    const identity = {
      resource,
      jwt: [
        {
          issuer: issuer.issuer,
          audience: [resource],
          algorithms: ["ES256"],
          jwks: issuer.jwks,
          any_subject: { prefix: "people-" },
        },
      ],
    };
    const config = await deploy(folder, {
      tools: [{ name: "ledger", url: server.url, fingerprint: server.fingerprint }],
      servers: [{ name: "ledger", url: server.url, tls_fingerprint, authorization }],
      policies: POLICIES,
      config: `audit_db_path: audit.db\nenclave: ${JSON.stringify({ identity })}\n`,
    });
    const text = await readFile(config, "utf8");
    await writeFile(config, text.replace("listen_addr: 127.0.0.1:0", `listen_addr: 127.0.0.1:${port}`));
    gateway = await startGateway(config, {
      CMCP_DEV_MODE: "1",
      CMCP_BEARER_TOKEN: TOKEN,
    });
  });
  after(async () => {
    await gateway?.stop();
    await Promise.all([server?.close(), issuer?.close(), jwks?.close(), browser.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  /** @param caller whom the issuer knows, or `null` for the holder of a provisioned token */
  const headersOf = async (caller: string | null): Promise<Record<string, string>> => ({
    authorization: `Bearer ${caller === null ? TOKEN : await issuer.callerToken(caller, resource)}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  });
  const call = async (caller: string | null): Promise<Reply> => {
    const params = { name: "ledger", arguments: {}, _cmcp: { session_id: "s" } };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
    const answer = await fetch(gateway.mcp, { method: "POST", headers: await headersOf(caller), body });
    return (await answer.json()) as Reply;
  };
  const linkFor = async (caller: string): Promise<string> => {
    const { error } = await call(caller);
    assert.equal(error?.data["error_code"], "CONSENT_REQUIRED", JSON.stringify(error));
    const url = error?.data.consent?.url ?? "";
    assert.ok(error?.message.includes(url), "a model that is shown the text alone has the link");
    return url;
  };

  test("is called after the caller has logged in and consented, and the entry says so", async () => {
    const link = await linkFor("ada");
    assert.equal(new URL(link).searchParams.get("scope"), "openid", "the login comes first");
    assert.equal(server.calls(), 0);
    const page = await browser.open(link);
    assert.deepEqual([page.status, page.text.includes("consent was taken")], [200, true]);
    assert.ok((await call("ada")).result !== undefined);
    assert.equal(server.calls(), 1);
    const headers = await headersOf("ada");
    const exported = (await (await fetch(`${gateway.url}/audit/export?session_id=s`, { headers })).json()) as {
      readonly entries: readonly { readonly entry_type: string; readonly detail: JsonObject }[];
    };
    const [waited, ran] = exported.entries.filter(({ entry_type: type }) => type === "tool_call");
    assert.deepEqual([waited?.detail["error_code"], waited?.detail["outcome"]], ["CONSENT_REQUIRED", "not-sent"]);
    assert.deepEqual(
      ["grant_kind", "grant_subject", "grant_confirmation", "grant_scopes"].map((name) => ran?.detail[name]),
      ["authorization_code", "people-ada", "login", SCOPE],
    );
  });

  test("is refused by a rule to a caller that no login confirms, and no consent is asked for", async () => {
    const { error } = await call(null);
    assert.equal(error?.data["error_code"], "POLICY_DENY", JSON.stringify(error));
  });

  test("is not called for another caller by that consent", async () => {
    const before = server.calls();
    await linkFor("mallory");
    assert.equal(server.calls(), before);
  });

  test("takes no consent of anybody but the caller: a link that was sent on gives nothing", async () => {
    const link = await linkFor("mallory");
    person = "ada";
    const victim = new ConsentingBrowser();
    const page = await victim.open(link);
    assert.match(page.text, /AUTHORIZATION_REFUSED/);
    assert.ok(
      !victim.visited.some((url) => url.includes("resource=")),
      "the victim's browser never came to the server's own consent",
    );
    await victim.close();
    await linkFor("mallory");
  });

  test("takes each answer once", async () => {
    const callback = browser.visited.findLast((url) => url.includes("/oauth/callback")) ?? "";
    assert.match(callback, /code=/);
    const { status, text } = await browser.open(callback);
    assert.deepEqual([status, text.includes("AUTHORIZATION_RESPONSE_INVALID")], [502, true]);
  });

  test("is not called after a refusal, and the next call asks again", async () => {
    const refusing = new ConsentingBrowser();
    const link = await linkFor("grace");
    person = null;
    assert.match((await refusing.open(link)).text, /AUTHORIZATION_REFUSED/);
    person = "ada";
    await refusing.close();
    assert.notEqual(await linkFor("grace"), link);
  });

  test("has an agent that shows URLs send its person there once", async () => {
    const envelope = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "agent", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": { elicitation: { url: {} } },
    };
    const ask = async (more: JsonObject): Promise<Reply> => {
      const params = { name: "ledger", arguments: {}, ...more, _meta: envelope };
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
      const modern = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "ledger" };
      const headers = { ...(await headersOf("linus")), ...modern };
      return (await (await fetch(gateway.mcp, { method: "POST", headers, body })).json()) as Reply;
    };
    const { result } = await ask({});
    const question = result?.inputRequests?.["consent"] as
      | { readonly params: { readonly url: string; readonly mode: string } }
      | undefined;
    assert.equal(question?.params.mode, "url", JSON.stringify(result));
    person = "linus";
    const own = new ConsentingBrowser();
    assert.equal((await own.open(question?.params.url ?? "")).status, 200);
    await own.close();
    const state = { requestState: result?.requestState ?? "", inputResponses: { consent: { action: "accept" } } };
    const repeated = await ask(state);
    assert.ok(JSON.stringify(repeated.result).includes("found"), JSON.stringify(repeated));
  });

  test("shows the host no token and no verifier: only states and codes, which are used up", async () => {
    const seen = [
      server.wire.bytes(),
      issuer.wire.bytes(),
      await readFile(join(folder, "audit.db")),
      await readFile(join(folder, "audit.db-wal")).catch(() => Buffer.alloc(0)),
      Buffer.from(gateway.log()),
    ].map((bytes) => bytes.toString("latin1"));
    const verifiers = issuer.requests.map(({ code_verifier: verifier = "" }) => verifier);
    assert.ok(verifiers.length >= 4 && issuer.tokens.length >= 2);
    for (const secret of [...verifiers, ...issuer.tokens])
      assert.ok(secret.length > 20 && seen.every((text) => !text.includes(secret)));
    for (const url of browser.visited) for (const verifier of verifiers) assert.ok(!url.includes(verifier));
  });
});
