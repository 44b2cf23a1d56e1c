/** Disclosures, end to end: a real MCP server, the official client, and `cmcp approvals disclose` as the data's owner runs it. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { receiptSchema, RECEIPT_META_KEY } from "@cmcp/audit/schema";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import * as z from "zod";
import { startToolsServer, type ToolsServer } from "../attacks/tools-server.ts";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken } from "../gateway/principals.ts";
import { refusedCode } from "../gateway/refused-call.ts";

const POLICIES = `@id("allow-all") permit (principal, action, resource);
@id("patients-stay") @disclosure("alice")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"mail")
when { context.session_max_sensitivity == "hipaa_phi" };
@id("never-wire")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"wire");
`;

interface Permitted {
  readonly permission: { readonly request_id: string; readonly output_sha256: string; readonly workload: string };
  readonly salt: string;
}

describe("cmcp approvals disclose", { timeout: 240_000 * PATIENCE }, () => {
  const token = newToken();
  const summary = { text: "three patients, none named" };
  let folder = "";
  let server: ToolsServer;
  let gateway: Gateway;
  let session = "";
  let principal = "";
  let identity = "";
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-disclosures-"));
    const text = { text: z.string().optional() };
    server = await startToolsServer("office", [
      { name: "mail", description: "mail.", input: text, run: () => "sent" },
      { name: "wire", description: "wire.", input: text, run: () => "wired" },
      { name: "patients", description: "patients.", input: text, run: () => "three patients" },
    ]);
    const inputSchema = {
      type: "object",
      properties: { text: { type: "string" } },
      $schema: "http://json-schema.org/draft-07/schema#",
    };
    const listed: string[] = [];
    for (const id of ["alice", "bob"]) {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519");
      listed.push(`{id: ${id}, ed25519: ${publicKey.export({ format: "jwk" }).x ?? ""}}`);
      await writeFile(file(`${id}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    }
    const config = await deploy(file("deployment"), {
      tools: [
        {
          name: "patients",
          url: server.url,
          inputSchema,
          complianceDomain: "hipaa_phi",
          sensitivityLevel: "hipaa_phi",
        },
        { name: "mail", url: server.url, inputSchema },
        { name: "wire", url: server.url, inputSchema },
      ],
      policies: POLICIES,
      config: `enclave: {approvers: [${listed.join(", ")}]}\n`,
    });
    gateway = await startGateway(config, developmentEnvironment(token));
    await writeFile(file("call.json"), JSON.stringify(summary));
  });
  after(async () => {
    await gateway?.stop();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const connected = async (): Promise<Client> => {
    const client = new Client({ name: "agent", version: "1" }, { versionNegotiation: { mode: "legacy" } });
    const headers = { authorization: `Bearer ${token}` };
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    return client;
  };
  const callsOf = (tool: string): number => server.calls.filter((call) => call.tool === tool).length;
  const exported = async (): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` };
    return await (await fetch(`${gateway.url}/audit/export?session_id=${session}`, { headers })).text();
  };
  const disclose = async (who: string, changes: Readonly<Record<string, string>> = {}): Promise<CommandResult> => {
    const options = {
      principal,
      server: identity,
      tool: "mail",
      arguments: file("call.json"),
      rule: "patients-stay",
      labels: "hipaa_phi",
      url: gateway.url,
      approver: who,
      key: file(`${who}.pem`),
      "launch-digest": gateway.launch_digest.replace("sha256:", ""),
      ...changes,
    };
    const given = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    return await cmcp(["approvals", "disclose", ...given, "--allow-software-only", "--json"]);
  };
  const permitted = async (changes: Readonly<Record<string, string>> = {}): Promise<Permitted> => {
    const { code, stdout, stderr } = await disclose("alice", changes);
    assert.equal(code, 0, `${stdout}${stderr}`);
    return JSON.parse(stdout) as Permitted;
  };
  const refused = async (
    who: string,
    changes: Readonly<Record<string, string>>,
  ): Promise<readonly [number, string]> => {
    const { code, stdout } = await disclose(who, changes);
    return [code, (JSON.parse(stdout) as { error?: { code: string } }).error?.code ?? ""];
  };
  const mail = (args: object = summary) => ({ name: "mail", arguments: { ...args } });
  const checkOf = (result: object): unknown =>
    (result as { _meta?: { "cmcp.gateway/error"?: { disclosure?: { check?: string } } } })._meta?.["cmcp.gateway/error"]
      ?.disclosure?.check;

  test("what a session has seen leaves once, as its owner permitted it, and the record proves it", async () => {
    const agent = await connected();
    assert.equal(refusedCode(await agent.callTool(mail({ text: "hello" }))), undefined, "nothing was seen");
    const seen = await agent.callTool({ name: "patients", arguments: {} });
    session = receiptSchema.parse(seen._meta?.[RECEIPT_META_KEY]).session_id;
    const { entries } = JSON.parse(await exported()) as {
      entries: { server_identity: string | null; detail: { principal?: string } | null }[];
    };
    principal = entries[0]?.detail?.principal ?? "";
    identity = entries.find(({ server_identity: one }) => one !== null)?.server_identity ?? "";
    const before = callsOf("mail");
    assert.equal(refusedCode(await agent.callTool(mail())), "DISCLOSURE_REQUIRED");
    const { permission, salt } = await permitted();
    const other = await agent.callTool(mail({ text: "three patients, all named" }));
    assert.deepEqual([refusedCode(other), checkOf(other)], ["DISCLOSURE_MISMATCH", "bytes"]);
    assert.equal(refusedCode(await agent.callTool({ name: "wire", arguments: summary })), "POLICY_DENY");
    assert.equal(callsOf("mail"), before);
    const sent = await agent.callTool(mail());
    assert.equal(refusedCode(sent), undefined, JSON.stringify(sent));
    assert.equal(callsOf("mail"), before + 1);
    assert.deepEqual(server.calls.at(-1), { tool: "mail", arguments: summary });
    const again = await agent.callTool(mail());
    assert.deepEqual([refusedCode(again), checkOf(again)], ["DISCLOSURE_MISMATCH", "used"]);
    assert.deepEqual([callsOf("mail"), callsOf("wire")], [before + 1, 0]);
    await agent.close();
    const text = await exported();
    for (const secret of ["three patients", salt]) assert.ok(!text.includes(secret), secret);
    await writeFile(file("bundle.json"), text);
    const report = (await (await fetch(`${gateway.url}/attestation`)).json()) as {
      binding: { keys: { signing: string } };
    };
    const pins = ["--trusted-key", report.binding.keys.signing, "--allow-software-only", "--json"];
    const verified = await cmcp(["audit", "verify", file("bundle.json"), ...pins]);
    assert.equal(verified.code, 0, verified.stdout);
    const { disclosures } = JSON.parse(verified.stdout) as { disclosures: Record<string, string>[] };
    assert.deepEqual(
      disclosures.map(({ owner, recipient, purpose, disclosure_id: id }) => [owner, recipient, purpose, id]),
      [["alice", `${identity} mail`, "default", permission.request_id]],
    );
  });

  test("what is not for this instance and its catalog, or not the owner's, is refused", async () => {
    const invalid = [10, "DISCLOSURE_PERMISSION_INVALID"];
    assert.deepEqual(await refused("alice", { tool: "elsewhere" }), invalid);
    assert.deepEqual(await refused("alice", { key: file("bob.pem") }), [10, "APPROVAL_ACCESS_INVALID"]);
    assert.deepEqual(await refused("alice", { "launch-digest": "0".repeat(64) }), [10, "INSTANCE_NOT_ACCEPTED"]);
    assert.deepEqual(await refused("alice", { seconds: "86401" }), [64, "USAGE"]);
    assert.deepEqual(await refused("alice", { arguments: file("bob.pem") }), [64, "USAGE"]);
    assert.equal((await disclose("bob")).code, 0, "bob is measured");
    const agent = await connected();
    await agent.callTool({ name: "patients", arguments: {} });
    const result = await agent.callTool(mail());
    assert.deepEqual([refusedCode(result), checkOf(result)], ["DISCLOSURE_MISMATCH", "used"]);
    await agent.close();
  });

  test("a restart voids a permission that was not used", async () => {
    await permitted({ arguments: file("call.json"), labels: "hipaa_phi,pii" });
    await gateway.stop();
    gateway = await startGateway(file("deployment/cmcp-config.yaml"), developmentEnvironment(token));
    const agent = await connected();
    await agent.callTool({ name: "patients", arguments: {} });
    assert.equal(refusedCode(await agent.callTool(mail())), "DISCLOSURE_REQUIRED");
    await agent.close();
  });
});
