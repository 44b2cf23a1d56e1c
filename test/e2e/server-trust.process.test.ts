/** A server that renews its key, behind the gateway as it is shipped: authorities of the deployment's own vouch for it. */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { TestAuthority } from "../../packages/mcp/src/testing/certificate.ts";
import { clientOf, type Client } from "../gateway/client.ts";
import { deploy, listenOnAnyPort } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "server-trust-test-token-0123456789ab";
const HOST = "127.0.0.1";
const corp = TestAuthority.root("Corp");
const issuing = corp.authority("Corp issuing");
const other = TestAuthority.root("Other");
const fingerprint = ({ pin }: { readonly pin: Buffer }): string => `SHA256:${pin.toString("base64")}`;
/** Calls to servers of the deployment's own authorities, and to one of those of the web. */
const POLICY = `@id("own") permit (principal, action, resource) when { resource.server_trust == "private-ca" };
@id("web") permit (principal, action, resource) when { resource.server_name == "web" };
`;

describe("a server that an authority vouches for", { timeout: 180_000 }, () => {
  let folder = "";
  let gateway: Gateway;
  let client: Client;
  const first = issuing.issue([HOST]);
  const servers: RawServer[] = [];
  const serve = async (tool: string, certificate: { cert: string; key: string }): Promise<RawServer> => {
    const answer = (socket: Parameters<Parameters<typeof startRawServer>[1]>[0], { id }: { id: number | null }) =>
      void socket.write(reply(callReply(id, "fine")));
    const server = await startRawServer(tool, answer, undefined, { ...certificate, fingerprint: "" });
    servers.push(server);
    return server;
  };
  let renewing: RawServer;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-trust-"));
    renewing = await serve("renewing", first);
    const trust = { trust: "private-ca", roots: ["corp"] };
    const tools = [
      { name: "renewing", url: renewing.url, server: trust },
      { name: "stranger", url: (await serve("stranger", other.issue([HOST]))).url, server: trust },
      { name: "misnamed", url: (await serve("misnamed", issuing.issue(["tools.example"]))).url, server: trust },
      {
        name: "reissued",
        url: (await serve("reissued", issuing.issue([HOST]))).url,
        server: { ...trust, issuer_pins: [fingerprint(other.key)] },
      },
      { name: "web", url: (await serve("web", issuing.issue([HOST]))).url, server: { trust: "webpki" } },
      { name: "public", url: (await serve("public", issuing.issue([HOST]))).url, server: { trust: "webpki" } },
    ];
    const config = await deploy(join(folder, "d"), { tools, policies: POLICY });
    await appendFile(config, `\nenclave: ${JSON.stringify({ server_roots: { corp: [corp.certificate] } })}\n`);
    await listenOnAnyPort(config);
    gateway = await startGateway(config, developmentEnvironment(TOKEN));
    client = clientOf(gateway, TOKEN);
  });
  after(async () => {
    await gateway?.stop();
    for (const server of servers) await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const entryOf = async (session: string, tool: string) => {
    const { entries } = await client.export(session);
    return entries.findLast(({ tool_name: name }) => name === tool);
  };

  test("is called with any key that it has a certificate for, and the record names the key and the issuer", async () => {
    for (const [at, key] of [first, issuing.issue([HOST]), corp.issue([HOST])].entries()) {
      if (at > 0) renewing.renew(key);
      let answered = await client.call("renewing", "renewed");
      // What stood while the key was renewed was closed under the call.
      while (answered.status === 502) answered = await client.call("renewing", "renewed");
      assert.equal(answered.status, 200, JSON.stringify(answered.body));
      const { session_id: session } = receiptOf(answered.body);
      const entry = await entryOf(session, "renewing");
      assert.equal(entry?.evidence_class, "hash-only");
      assert.deepEqual(
        ["server_authentication", "server_key", "server_issuer_key"].map((name) => entry.detail?.[name]),
        ["private-ca", fingerprint(key), fingerprint(at === 2 ? corp.key : issuing.key)],
      );
    }
  });

  for (const [tool, reason] of [
    ["stranger", "unknown-issuer"],
    ["misnamed", "wrong-name"],
    ["reissued", "wrong-issuer"],
    ["web", "unknown-issuer"],
  ] as const)
    test(`${tool}: is refused as ${reason}, and the record says so`, async () => {
      const { body } = await client.call(tool, tool);
      assert.equal(body.error?.data?.error_code, "UPSTREAM_IDENTITY_MISMATCH");
      const entry = await entryOf(receiptOf(body).session_id, tool);
      assert.deepEqual(
        [entry?.policy_decision, entry?.detail?.["identity_fault"], entry?.detail?.["outcome"]],
        ["fault", reason, "not-sent"],
      );
      assert.equal(entry?.detail?.["server_key"], undefined);
    });

  test("policy tells it from one that authorities of the web could vouch for", async () => {
    const { status, body } = await client.call("public", "public");
    assert.deepEqual([status, body.error?.data?.error_code], [403, "POLICY_DENY"]);
  });
});
