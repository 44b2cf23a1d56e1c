/** A server whose publisher signed what it is, behind the gateway as it is shipped. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { newPublisher, recordMembers, signRecord } from "../../packages/catalog/src/testing/provenance.ts";
import { cmcp } from "../gateway/cli.ts";
import { clientOf, type Client } from "../gateway/client.ts";
import { deploy, listenOnAnyPort } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { makeServerCertificate, type ServerCertificate } from "../servers/certificate.ts";
import { callReply, rawTool, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "provenance-test-token-0123456789abcdef";
const KINDS = { published: "publisher-asserted", observed: "observer-attested", grown: "publisher-asserted" } as const;
const POLICY = `@id("known") permit (principal, action, resource) when { resource.server_provenance != "none" };
@id("observed") forbid (principal, action, resource == cMCP::Resource::"unsigned") when { resource.server_provenance == "observer-attested" };
`;

describe("a server with a record of its provenance", { timeout: 180_000 }, () => {
  let folder = "";
  let gateway: Gateway;
  let client: Client;
  const running: RawServer[] = [];
  const publisher = newPublisher();
  let deployment: { tools: { name: string; url: string; fingerprint: string }[]; servers: JsonObject[] };

  const serve = async (name: string, listed: readonly string[], certificate: ServerCertificate): Promise<RawServer> => {
    const server = await startRawServer(
      name,
      (socket, { id }) => void socket.write(reply(callReply(id, "fine"))),
      () => ({ tools: listed.map(rawTool) }),
      certificate,
    );
    running.push(server);
    return server;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-provenance-"));
    deployment = { tools: [], servers: [] };
    for (const [name, kind] of [...Object.entries(KINDS), ["unsigned", null] as const]) {
      const certificate = await makeServerCertificate();
      // A tool that nobody approved and no record names.
      const { url } = await serve(name, name === "grown" ? [name, "send_mail"] : [name], certificate);
      const spki = Buffer.from(certificate.fingerprint.slice("SHA256:".length), "base64").toString("hex");
      const endpoint = { url, spki_sha256: `sha256:${spki}` };
      const record = { ...recordMembers({ endpoint }, [rawTool(name) as JsonObject]), kind };
      deployment.tools.push({ name, url, fingerprint: certificate.fingerprint });
      deployment.servers.push({
        name,
        url,
        tls_fingerprint: certificate.fingerprint,
        ...(kind === null
          ? {}
          : { provenance: { record: signRecord(publisher, record), publisher_jwk: publisher.jwk } }),
      });
    }
    const config = await deploy(join(folder, "d"), {
      ...deployment,
      policies: POLICY,
      config: "catalog: {drift_policy: warn_only}\n",
    });
    await listenOnAnyPort(config);
    gateway = await startGateway(config, developmentEnvironment(TOKEN));
    client = clientOf(gateway, TOKEN);
  });
  after(async () => {
    await gateway?.stop();
    for (const server of running) await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const tool of ["published", "observed"] as const)
    test(`${tool}: is called where a rule asks for a record, and the entry names who signed it`, async () => {
      const { status, body } = await client.call(tool, tool);
      assert.equal(status, 200, JSON.stringify(body));
      const { entries } = await client.export(receiptOf(body).session_id);
      const entry = entries.findLast(({ tool_name: name }) => name === tool);
      assert.deepEqual(
        ["server_provenance", "server_publisher"].map((name) => entry?.detail?.[name]),
        [KINDS[tool], "did:web:acme.example"],
      );
    });

  test("one that nobody signed is refused by the rule", async () => {
    const { body } = await client.call("unsigned", "unsigned");
    assert.equal(body.error?.data?.error_code, "POLICY_DENY");
  });

  test("one that lists another tool than its record is refused where drift only warns, and the record says why", async () => {
    const { body } = await client.call("grown", "grown");
    assert.equal(body.error?.data?.error_code, "CATALOG_DRIFT_DETECTED", JSON.stringify(body));
    const { entries } = await client.export(receiptOf(body).session_id);
    const drift = entries.find(({ entry_type: type }) => type === "catalog_drift");
    assert.equal(drift?.detail?.["drift"], "other-provenance");
    const entry = entries.findLast(({ entry_type: type }) => type === "tool_call");
    assert.equal(entry?.detail?.["server_provenance"], undefined);
  });

  test("a floor that a server does not reach refuses the start", async () => {
    for (const [kind, wanting] of [
      ["observer-attested", "published"],
      ["publisher-asserted", "unsigned"],
    ] as const) {
      const config = await deploy(join(folder, kind), {
        ...deployment,
        policies: POLICY,
        config: `attestation: {required_provenance_kind: ${kind}}\n`,
      });
      for (const command of ["start", "validate-config"]) {
        const { code, stderr, stdout } = await cmcp([command, "--config", config], developmentEnvironment(TOKEN));
        assert.equal(code, 10, stdout);
        assert.match(
          stderr,
          new RegExp(`^CATALOG_INVALID: server ${wanting}: attestation.required_provenance_kind`, "m"),
        );
      }
    }
  });
});
