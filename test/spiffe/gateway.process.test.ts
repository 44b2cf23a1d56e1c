/** A gateway between workloads of a trust domain: the agents call with JWT-SVIDs, the servers show X.509-SVIDs. */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cmcp } from "../gateway/cli.ts";
import { clientOf, type Client } from "../gateway/client.ts";
import { deploy, type ToolEntry } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startGateway, type Gateway } from "../gateway/gateway.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";
import { Counterpart, hasCounterpart, NO_COUNTERPART, type WorkloadCertificate } from "./counterpart.ts";

const DOMAIN = "bank.example";
const AUDIENCE = "https://gateway.bank.example/mcp";
const AGENT = `spiffe://${DOMAIN}/agents/desk-7`;
const SERVER = `spiffe://${DOMAIN}/tools/ledger`;

/** Calls of the agents to servers of the trust domain, and of no others. */
const POLICY = `@id("workloads") permit (principal, action, resource)
when { principal.identity_source == "jwt" && principal.identity_issuer == "spiffe://${DOMAIN}" && resource.server_trust == "spiffe" };
@id("not-the-yard") forbid (principal, action, resource)
when { principal has user_identity && principal.user_identity like "spiffe://${DOMAIN}/yard/*" };
`;

/** Servers, by the reason that each is refused for; `null` is called. */
const SERVERS: Readonly<Record<string, readonly [WorkloadCertificate, string | null]>> = {
  ledger: [{ uris: [SERVER] }, null],
  below: [{ uris: [SERVER], via: true }, null],
  other: [{ uris: [`spiffe://${DOMAIN}/tools/other`] }, "wrong-spiffe-id"],
  twice: [{ uris: [SERVER, `${SERVER}/x`] }, "invalid-svid"],
  authority: [{ uris: [SERVER], ca: true }, "invalid-svid"],
  signer: [{ uris: [SERVER], usage: 33 }, "invalid-svid"],
  expired: [{ uris: [SERVER], expired: true }, "expired"],
  client: [{ uris: [SERVER], client: true }, "invalid-chain"],
  stranger: [{ uris: [SERVER] }, "unknown-issuer"],
};

describe("workloads on both sides", { skip: hasCounterpart() ? false : NO_COUNTERPART, timeout: 180_000 }, () => {
  let folder = "";
  let spiffe: Counterpart;
  let gateway: Gateway;
  let plain: RawServer;
  let config = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-spiffe-"));
    spiffe = new Counterpart();
    const bundle = await spiffe.domain(DOMAIN);
    // Its authority signs certificates with IDs of the other one.
    await spiffe.domain("evil.example");
    plain = await startRawServer(
      "any",
      (socket, { id }) => void socket.write(reply(callReply(id, "fine"))),
      () => ({
        tools: Object.keys(SERVERS).map((name) => ({ name, description: `${name}.`, inputSchema: { type: "object" } })),
      }),
    );
    const tools: ToolEntry[] = [];
    for (const [name, [certificate]] of Object.entries(SERVERS)) {
      const from = name === "stranger" ? "evil.example" : DOMAIN;
      const port = await spiffe.serve(from, Number(new URL(plain.url).port), certificate);
      tools.push({ name, url: `https://127.0.0.1:${port}/mcp`, server: { trust: "spiffe", spiffe_id: SERVER } });
    }
    config = await deploy(join(folder, "d"), { tools, policies: POLICY });
    const enclave = {
      principals: [{ id: "default" }, { id: "desk" }],
      spiffe_bundles: { [DOMAIN]: bundle },
      identity: {
        spiffe: [
          {
            trust_domain: DOMAIN,
            audience: [AUDIENCE],
            algorithms: ["ES256"],
            any_subject: { workflows: ["default"] },
            subjects: [{ subject: `spiffe://${DOMAIN}/agents/listed`, principal: "desk" }],
          },
        ],
      },
    };
    await appendFile(config, `\nenclave: ${JSON.stringify(enclave)}\n`);
    gateway = await startGateway(config, { CMCP_DEV_MODE: "1" });
  });
  after(async () => {
    await gateway?.stop();
    await plain?.close();
    await spiffe?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const agent = async (claims: object = {}, domain = DOMAIN): Promise<Client> => {
    const now = Math.floor(Date.now() / 1_000);
    const token = await spiffe.token(domain, { sub: AGENT, aud: [AUDIENCE], iat: now - 60, exp: now + 300, ...claims });
    return clientOf(gateway, token);
  };

  test("the configuration is what validate-config accepts", async () => {
    const run = await cmcp(["validate-config", "--config", config, "--json"], { CMCP_DEV_MODE: "1" });
    assert.equal(run.code, 0, run.stdout);
  });

  for (const [tool, [, reason]] of Object.entries(SERVERS))
    test(`${tool}: ${reason ?? "is called"}, and the record says who met whom`, async () => {
      const client = await agent();
      const { status, body } = await client.call(tool, tool);
      const { entries } = await client.export(receiptOf(body).session_id);
      const entry = entries.findLast(({ tool_name: name }) => name === tool);
      const detail = entry?.detail ?? {};
      assert.deepEqual(
        [
          detail["identity_source"],
          detail["identity_issuer"],
          detail["identity_subject"],
          entries[0]?.detail?.["principal"],
        ],
        ["jwt", `spiffe://${DOMAIN}`, AGENT, AGENT],
      );
      if (reason === null) {
        assert.equal(status, 200, JSON.stringify(body));
        assert.deepEqual(
          [detail["server_authentication"], detail["server_spiffe_id"], entry?.evidence_class],
          ["spiffe", SERVER, "hash-only"],
        );
        assert.match(String(detail["server_key"]), /^SHA256:/);
      } else {
        assert.equal(body.error?.data?.error_code, "UPSTREAM_IDENTITY_MISMATCH");
        assert.deepEqual([detail["identity_fault"], detail["outcome"]], [reason, "not-sent"]);
        assert.equal(detail["server_spiffe_id"], undefined);
      }
    });

  test("rules tell workloads apart, and a listed one is its principal", async () => {
    const yard = await agent({ sub: `spiffe://${DOMAIN}/yard/crane` });
    const refused = await yard.call("ledger", "yard");
    assert.deepEqual([refused.status, refused.body.error?.data?.error_code], [403, "POLICY_DENY"]);
    const listed = await agent({ sub: `spiffe://${DOMAIN}/agents/listed` });
    const { status, body } = await listed.call("ledger", "listed");
    assert.equal(status, 200);
    const { entries } = await listed.export(receiptOf(body).session_id);
    assert.equal(entries[0]?.detail?.["principal"], "desk");
  });

  test("who is no workload of the trust domain, or comes too late, does not get in", async () => {
    const now = Math.floor(Date.now() / 1_000);
    const cases: readonly (readonly [object, string?])[] = [
      [{ exp: now - 120 }],
      [{ aud: ["https://other.example/mcp"] }],
      [{ sub: "spiffe://evil.example/agents/desk-7" }, "evil.example"],
      [{}, "evil.example"],
      [{ exp: now + 86_400 }],
    ];
    for (const [claims, domain] of cases) {
      const client = await agent(claims, domain);
      assert.equal((await client.call("ledger", "late")).status, 401, JSON.stringify(claims));
    }
  });
});
