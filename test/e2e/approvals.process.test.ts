/** Approvals, end to end: a real MCP server, the official client of both eras, and `cmcp approvals` as approvers run it. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { receiptSchema, RECEIPT_META_KEY } from "@cmcp/audit/schema";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import * as z from "zod";
import { startToolsServer, type ToolsServer } from "../attacks/tools-server.ts";
import { Approver, type ShownApproval } from "../gateway/approver.ts";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken } from "../gateway/principals.ts";
import { refusedCode } from "../gateway/refused-call.ts";

const POLICIES = `@id("allow-all") permit (principal, action, resource);
@id("mail-needs-a-person") @aarm_decision("require_approval") @approvers("alice,bob") @approval_reason("mail leaves the company")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"mail");
@id("wire-needs-two") @aarm_decision("step_up") @approvals("2")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"wire");
@id("ledger-leaves-with-a-person") @aarm_decision("step_up")
forbid (principal, action == cMCP::Action::"deliver_result", resource == cMCP::Resource::"ledger");
`;
const URL_OF_APPROVERS = "https://approve.example/";

describe("cmcp approvals", { timeout: 240_000 * PATIENCE }, () => {
  const approvers = new Map<string, Approver>();
  const token = newToken();
  let folder = "";
  let server: ToolsServer;
  let gateway: Gateway;
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-approvals-"));
    const text = { text: z.string().optional() };
    server = await startToolsServer("office", [
      { name: "mail", description: "mail.", input: text, run: () => "sent" },
      { name: "wire", description: "wire.", input: text, run: () => "wired" },
      { name: "ledger", description: "ledger.", input: text, run: () => "the whole ledger" },
      { name: "note", description: "note.", input: text, run: () => "noted" },
    ]);
    const inputSchema = {
      type: "object",
      properties: { text: { type: "string" } },
      $schema: "http://json-schema.org/draft-07/schema#",
    };
    const tools = ["ledger", "mail", "wire", "note"].map((name) => ({ name, url: server.url, inputSchema }));
    for (const id of ["alice", "bob", "carol", "stranger"]) approvers.set(id, await Approver.make(folder, id));
    const listed = ["alice", "bob", "carol"].map((id) => of(id).listed).join(", ");
    const config = await deploy(file("deployment"), {
      tools,
      policies: POLICIES,
      config: `enclave: {approvers: [${listed}], approval_url: "${URL_OF_APPROVERS}"}\n`,
    });
    gateway = await startGateway(config, developmentEnvironment(token));
  });
  after(async () => {
    await gateway?.stop();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const of = (who: string): Approver => {
    const approver = approvers.get(who);
    assert.ok(approver !== undefined, who);
    return approver;
  };
  const run = async (command: string, who: string, ...more: readonly string[]): Promise<CommandResult> =>
    await of(who).run(gateway, command, ...more);
  const answered = async <T>(command: string, who: string, ...more: readonly string[]): Promise<T> =>
    await of(who).answered<T>(gateway, command, ...more);
  const codeOf = async (
    command: string,
    who: string,
    ...more: readonly string[]
  ): Promise<readonly [number, string]> => {
    const { code, stdout } = await run(command, who, ...more, "--json");
    return [code, (JSON.parse(stdout) as { error?: { code: string } }).error?.code ?? ""];
  };
  const waiting = async (who: string): Promise<readonly string[]> =>
    (await answered<{ approvals: { approval_id: string }[] }>("list", who)).approvals.map(
      ({ approval_id }) => approval_id,
    );
  const approve = async (who: string, id: string): Promise<ShownApproval> => await of(who).approve(gateway, id);
  const connected = async (era: "legacy" | "modern", onUrl?: (url: string) => Promise<void>): Promise<Client> => {
    const client = new Client(
      { name: "agent", version: "1" },
      {
        versionNegotiation: { mode: era === "legacy" ? "legacy" : "auto" },
        capabilities: onUrl === undefined ? {} : { elicitation: { url: {} } },
      },
    );
    if (onUrl !== undefined)
      client.setRequestHandler("elicitation/create", async ({ params }) => {
        await onUrl("url" in params ? params.url : "");
        return { action: "accept" };
      });
    const headers = { authorization: `Bearer ${token}` };
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    assert.equal(client.getProtocolEra(), era);
    return client;
  };
  const callsOf = (tool: string): number => server.calls.filter((call) => call.tool === tool).length;
  const errorOf = (result: object): Readonly<Record<string, unknown>> =>
    ((result as { _meta?: Record<string, unknown> })._meta?.["cmcp.gateway/error"] ?? {}) as Readonly<
      Record<string, unknown>
    >;

  test("in the legacy era the call waits, alice approves it in a process of her own, and the server gets it once", async () => {
    const agent = await connected("legacy");
    const { tools } = await agent.listTools();
    assert.deepEqual(
      tools.map(({ name }) => name).toSorted(),
      ["ledger", "mail", "note", "wire"],
      "what can be approved is listed",
    );
    const call = { name: "mail", arguments: { text: "Grüße \u202eevil" } };
    const first = await agent.callTool(call);
    assert.equal(refusedCode(first), "APPROVAL_REQUIRED", JSON.stringify(first));
    const [id = ""] = await waiting("alice");
    const { approval } = errorOf(first) as {
      readonly approval: { readonly approval_id: string; readonly url: string };
    };
    assert.deepEqual([approval.approval_id, approval.url], [id, `${URL_OF_APPROVERS}${id}`]);
    const [words] = first.content;
    assert.ok(
      words?.type === "text" && words.text.includes(` ${id} at ${URL_OF_APPROVERS}${id} until 20`),
      words?.type,
    );
    assert.equal(callsOf("mail"), 0);
    const readable = await run("show", "alice", id);
    assert.match(readable.stdout, /tools\/call +mail[^]*mail leaves the company[^]*Grüße \\u202eevil/);
    assert.deepEqual(await waiting("carol"), [], "the rule names alice and bob");
    assert.deepEqual(await codeOf("show", "carol", id), [10, "APPROVAL_UNKNOWN"]);
    assert.deepEqual(await codeOf("approve", "alice", id, "--request", `sha256:${"0".repeat(64)}`), [
      10,
      "APPROVAL_REQUEST_INVALID",
    ]);
    assert.equal(refusedCode(await agent.callTool(call)), "APPROVAL_REQUIRED");
    const shown = await approve("alice", id);
    assert.deepEqual(shown.request.arguments, call.arguments);
    assert.equal(refusedCode(await agent.callTool({ ...call, arguments: { text: "another" } })), "APPROVAL_REQUIRED");
    const sent = await agent.callTool(call);
    assert.equal(refusedCode(sent), undefined, JSON.stringify(sent));
    assert.deepEqual(
      server.calls.filter(({ tool }) => tool === "mail"),
      [{ tool: "mail", arguments: call.arguments }],
    );
    assert.equal(refusedCode(await agent.callTool(call)), "APPROVAL_REQUIRED", "an approval counts once");
    assert.equal(callsOf("mail"), 1);
    await agent.close();
  });

  test("in the modern era the agent is sent to a URL, and its request goes on when it comes back", async () => {
    const before = callsOf("mail");
    const urls: string[] = [];
    const agent = await connected("modern", async (url) => {
      urls.push(url);
      await approve("bob", url.slice(URL_OF_APPROVERS.length));
    });
    const result = await agent.callTool({ name: "mail", arguments: { text: "modern" } });
    assert.equal(refusedCode(result), undefined, JSON.stringify(result));
    assert.equal(urls.length, 1);
    assert.match(urls[0] ?? "", /^https:\/\/approve\.example\/[A-Za-z0-9_-]{22}$/);
    assert.equal(callsOf("mail"), before + 1);
    await agent.close();
  });

  test("a call that needs two is sent after two distinct approvers, and a denial ends it", async () => {
    const agent = await connected("legacy");
    const call = { name: "wire", arguments: { text: "1" } };
    const asked = await agent.callTool(call);
    assert.equal(refusedCode(asked), "APPROVAL_REQUIRED");
    const [id = ""] = await waiting("carol");
    await approve("alice", id);
    assert.deepEqual(
      await codeOf(
        "approve",
        "alice",
        id,
        "--request",
        (await answered<ShownApproval>("show", "alice", id)).request_hash,
      ),
      [10, "APPROVAL_ANSWERED"],
    );
    assert.equal(refusedCode(await agent.callTool(call)), "APPROVAL_REQUIRED");
    await approve("carol", id);
    const sent = await agent.callTool(call);
    assert.equal(refusedCode(sent), undefined);
    assert.equal(callsOf("wire"), 1);
    const other = { name: "wire", arguments: { text: "2" } };
    assert.equal(refusedCode(await agent.callTool(other)), "APPROVAL_REQUIRED");
    const [denied = ""] = (await waiting("bob")).slice(-1);
    await answered("deny", "bob", denied, "--reason", "not on a Friday");
    const told = await agent.callTool(other);
    assert.equal(refusedCode(told), "APPROVAL_DENIED");
    assert.match(JSON.stringify(told), /not on a Friday/);
    assert.equal(callsOf("wire"), 1);
    await agent.close();
    const receipt = receiptSchema.parse(sent._meta?.[RECEIPT_META_KEY]);
    const exported = await fetch(`${gateway.url}/audit/export?session_id=${receipt.session_id}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const text = await exported.text();
    for (const secret of ["Grüße", "mail leaves", "cmcp-approval-request"]) assert.ok(!text.includes(secret), secret);
    assert.ok(text.includes("not on a Friday"));
    await writeFile(file("bundle.json"), text);
    const report = (await (await fetch(`${gateway.url}/attestation`)).json()) as {
      binding: { keys: { signing: string } };
    };
    const pins = ["--trusted-key", report.binding.keys.signing, "--allow-software-only", "--json"];
    const verified = await cmcp(["audit", "verify", file("bundle.json"), ...pins]);
    assert.equal(verified.code, 0, verified.stdout);
    const { approvals } = JSON.parse(verified.stdout) as {
      approvals: { tool_name: string; approvals: { approvers: string[] }[] }[];
    };
    const wire = approvals.find(({ tool_name: tool }) => tool === "wire");
    assert.deepEqual(
      wire?.approvals.flatMap(({ approvers: names }) => names),
      ["alice", "carol"],
    );
    await writeFile(file("call.json"), JSON.stringify({ tool: "wire", arguments: call.arguments }));
    const explained = async (callId: string): Promise<CommandResult> => {
      const folders = [file("deployment/policies"), "--catalog", file("deployment/catalog.json")];
      const recorded = ["--audit-bundle", file("bundle.json"), "--call-id", callId, "--request", file("call.json")];
      return await cmcp(["policy", "explain", ...folders, ...recorded]);
    };
    const approved = await explained(receipt.call_id);
    assert.equal(approved.code, 0, approved.stdout);
    assert.match(approved.stdout, /^allow, by wire-needs-two\n.*\n {4}approvals: 2 of those in enclave\.approvers\n/);
    assert.match(approved.stdout, /detail\.approved_by: alice,carol\n/);
    assert.match(
      approved.stdout,
      /: step_up, by wire-needs-two\n {2}the approvals that the record names lifted this\n/,
    );
    const waited = await explained(receiptSchema.parse(asked._meta?.[RECEIPT_META_KEY]).call_id);
    assert.equal(waited.code, 0, waited.stdout);
    assert.match(waited.stdout, /^step_up, by wire-needs-two\n/);
    assert.doesNotMatch(waited.stdout, /lifted this/);
  });

  test("a result that needs an approval is held, shown to the approver, and delivered; the server gets one call", async () => {
    const agent = await connected("modern");
    const call = { name: "ledger", arguments: { text: "all" } };
    assert.equal(refusedCode(await agent.callTool(call)), "APPROVAL_REQUIRED");
    const [id = ""] = (await waiting("carol")).slice(-1);
    const readable = await run("show", "carol", id);
    assert.match(readable.stdout, /result\n[^]*the whole ledger/);
    assert.equal(refusedCode(await agent.callTool(call)), "APPROVAL_REQUIRED");
    await approve("carol", id);
    const result = await agent.callTool(call);
    assert.deepEqual(result.content, [{ type: "text", text: "the whole ledger" }]);
    assert.equal(callsOf("ledger"), 1);
    await agent.close();
  });

  test("nobody else is let in, and what is no command is a usage error", async () => {
    assert.deepEqual(await codeOf("list", "stranger"), [10, "APPROVAL_ACCESS_INVALID"]);
    const pins = ["--url", gateway.url, "--approver", "alice", "--key", file("bob.pem"), "--allow-software-only"];
    const launch = ["--launch-digest", gateway.launch_digest.replace("sha256:", "")];
    const asBob = await cmcp(["approvals", "list", ...pins, ...launch, "--json"]);
    assert.deepEqual([asBob.code, asBob.stdout.includes("APPROVAL_ACCESS_INVALID")], [10, true]);
    const wrong = await cmcp(["approvals", "list", ...pins, "--launch-digest", "0".repeat(64), "--json"]);
    assert.deepEqual([wrong.code, wrong.stdout.includes("INSTANCE_NOT_ACCEPTED")], [10, true]);
    for (const [command, ...more] of [
      ["show"],
      ["approve", "AAAAAAAAAAAAAAAAAAAAAA"],
      ["deny"],
      ["list", "surplus"],
    ] as const)
      assert.deepEqual((await codeOf(command, "alice", ...more))[0], 64, command);
    for (const command of ["deny", "show"])
      assert.deepEqual(await codeOf(command, "alice", "AAAAAAAAAAAAAAAAAAAAAA"), [10, "APPROVAL_UNKNOWN"]);
  });

  test("a restart voids what waited and what was approved", async () => {
    const agent = await connected("legacy");
    const call = { name: "mail", arguments: { text: "before" } };
    await agent.callTool(call);
    const [id = ""] = (await waiting("alice")).slice(-1);
    await approve("alice", id);
    await agent.close().catch(() => undefined);
    const before = callsOf("mail");
    await gateway.stop();
    gateway = await startGateway(file("deployment/cmcp-config.yaml"), developmentEnvironment(token));
    assert.deepEqual(await waiting("alice"), []);
    const again = await connected("legacy");
    assert.equal(refusedCode(await again.callTool(call)), "APPROVAL_REQUIRED");
    assert.equal(callsOf("mail"), before);
    await again.close();
  });
});
