/** The gateway's own search: official clients find the tools that policy lets them see, and nothing of those that it hides. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Agent, type CallOutcome } from "../demo/agent.ts";
import { clientOf } from "../gateway/client.ts";
import { cmcp } from "../gateway/cli.ts";
import { deploy } from "../gateway/deployment.ts";
import type { Receipt } from "@cmcp/audit/schema";
import type { Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { newToken, tokenLine } from "../gateway/principals.ts";

const SEARCH = "cmcp_search_tools";
const HIDDEN = "audit_order";
const TOOLS = [HIDDEN, "lookup_order", "refund_order", "send_message"];
const POLICIES = `
  @id("all") permit (principal, action, resource);
  @id("audits") forbid (principal, action, resource == cMCP::Resource::"${HIDDEN}")
    unless { principal == cMCP::Principal::"alice" };
  @id("no-search") forbid (principal == cMCP::Principal::"carol", action, resource == cMCP::Resource::"${SEARCH}");`;
const NAMES = ["alice", "bob", "carol"] as const;
type Name = (typeof NAMES)[number];
const token = Object.fromEntries(NAMES.map((name) => [name, newToken()])) as Record<Name, string>;

describe("the search for tools", () => {
  let folder = "";
  const running: Gateway[] = [];
  let gateway: Gateway;
  let without: Gateway;
  let off: Gateway;

  const start = async (name: string, tools: readonly string[], policies: string, enclave: string): Promise<Gateway> => {
    const at = join(folder, name);
    const principals = NAMES.map((id) => `    - {id: ${id}, workflows: [default, orders]}\n`).join("");
    const path = await deploy(at, {
      tools: tools.map((tool) => ({
        name: tool,
        url: "http://127.0.0.1:9/mcp",
        inputSchema: { type: "object", properties: { customer: { type: "string" } }, additionalProperties: false },
      })),
      policies,
      config: `enclave:\n  token_file: tokens\n  principals:\n${principals}${enclave}`,
    });
    await writeFile(join(at, "tokens"), NAMES.map((id) => tokenLine(id, token[id])).join(""), { mode: 0o600 });
    const started = await startInProcess(path, { CMCP_DEV_MODE: "1" });
    running.push(started);
    return started;
  };
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-search-"));
    const workflows = `  workflow_tools: {default: [${SEARCH}, ${TOOLS.join(", ")}], orders: [${SEARCH}, refund_order]}\n`;
    gateway = await start("on", TOOLS, POLICIES, `  tool_search: true\n  listed_tools: [send_message]\n${workflows}`);
    const rest = TOOLS.filter((tool) => tool !== HIDDEN);
    without = await start("without", rest, '@id("all") permit (principal, action, resource);', "  tool_search: true\n");
    off = await start("off", TOOLS, POLICIES, "");
  });
  after(async () => {
    for (const one of running) await one.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** One call by the official client. */
  const searched = async (
    args: Record<string, unknown>,
    name: Name = "alice",
    { mcp = gateway.mcp, era = "stateless" }: { readonly mcp?: string; readonly era?: "stateless" | "sessions" } = {},
  ): Promise<CallOutcome> => {
    const agent = await Agent.connect(mcp, token[name], era);
    try {
      return await agent.call(SEARCH, args);
    } finally {
      await agent.close();
    }
  };
  const toolsIn = (outcome: CallOutcome): { readonly name: string; readonly inputSchema: unknown }[] => {
    assert.ok(outcome.allowed, JSON.stringify(outcome));
    return (JSON.parse(outcome.text) as { tools: { name: string; inputSchema: unknown }[] }).tools;
  };
  const namesIn = (outcome: CallOutcome): string[] => toolsIn(outcome).map(({ name }) => name);
  const listedBy = async (name: Name, mcp = gateway.mcp): Promise<string[]> => {
    const agent = await Agent.connect(mcp, token[name], "sessions");
    const names = await agent.tools();
    await agent.close();
    return names;
  };

  test("is off unless the configuration says otherwise", async () => {
    assert.deepEqual(await listedBy("alice", off.mcp), TOOLS);
    const outcome = await searched({ query: "order" }, "alice", { mcp: off.mcp });
    assert.ok(!outcome.allowed);
    assert.equal(outcome.code, "TOOL_NOT_IN_CATALOG");
  });

  test("refuses a catalog that has its name", async () => {
    await assert.rejects(
      start("taken", [SEARCH], '@id("all") permit (principal, action, resource);', "  tool_search: true\n"),
      {
        message: /CATALOG_TOOL_NAME_COLLISION/,
      },
    );
  });

  test("stands first in the list, with the tools that are to be listed, and finds the others", async () => {
    assert.deepEqual(await listedBy("alice"), [SEARCH, "send_message"]);
    for (const era of ["sessions", "stateless"] as const) {
      assert.deepEqual(namesIn(await searched({ query: "order" }, "alice", { era })), [
        HIDDEN,
        "lookup_order",
        "refund_order",
      ]);
      assert.deepEqual(namesIn(await searched({ query: "REFUND an order" }, "alice", { era })), [
        "refund_order",
        HIDDEN,
        "lookup_order",
      ]);
    }
    const [found] = toolsIn(await searched({ query: "customer", limit: 1 }));
    assert.ok(found !== undefined && "properties" in (found.inputSchema as object), "a definition as in a list");
    assert.equal(toolsIn(await searched({ query: "customer", limit: 2 })).length, 2);
    assert.deepEqual(namesIn(await searched({ query: "nothing-like-it" })), []);
    assert.deepEqual(namesIn(await searched({ query: SEARCH })), [], "it does not find itself");
  });

  test("answers as if there were no tool that policy hides", async () => {
    for (const query of [HIDDEN, "audit", "audit order", "order", "customer", "message order"])
      for (const limit of [1, 2, 3]) {
        const [hides, lacks] = [
          await searched({ query, limit }, "bob"),
          await searched({ query, limit }, "bob", { mcp: without.mcp }),
        ];
        assert.ok(hides.allowed && lacks.allowed);
        assert.equal(hides.text, lacks.text, `${query} ${limit}`);
        assert.ok(!hides.text.includes(HIDDEN));
      }
  });

  test("finds a workflow's tools at its endpoint", async () => {
    const mcp = `${gateway.mcp}/orders`;
    assert.deepEqual(namesIn(await searched({ query: "order message" }, "alice", { mcp })), ["refund_order"]);
  });

  test("is refused and not listed where a rule forbids it", async () => {
    assert.deepEqual(await listedBy("carol"), ["send_message"]);
    const outcome = await searched({ query: "order" }, "carol");
    assert.ok(!outcome.allowed);
    assert.equal(outcome.code, "POLICY_DENY");
  });

  test("takes no other arguments", async () => {
    const bad = [
      {},
      { query: "" },
      { query: "x".repeat(257) },
      { query: ["order"] },
      { query: "order", limit: 0 },
      { query: "order", limit: 21 },
      { query: "order", limit: 1.5 },
      { query: "order", pattern: ".*" },
    ];
    for (const args of bad) {
      const outcome = await searched(args);
      assert.ok(!outcome.allowed, JSON.stringify(args));
      assert.equal(outcome.code, "MCP_INVALID_REQUEST", JSON.stringify(args));
    }
    const client = clientOf(gateway, token.alice);
    const asTask = await client.rpc("tools/call", { name: SEARCH, arguments: { query: "order" }, task: { ttl: 1000 } });
    assert.ok(asTask.body.error !== undefined || asTask.body.result?.["content"] !== undefined);
    assert.equal(asTask.body.result?.["task"], undefined);
  });

  test("has an entry and a receipt that the verifier accepts", async () => {
    const outcome = await searched({ query: "refund" }, "bob", { era: "sessions" });
    const receipt = outcome.receipt as Receipt;
    const client = clientOf(gateway, token.bob);
    const bundle = await client.export(receipt.session_id);
    const entry = bundle.entries.find(({ call_id: id }) => id === receipt.call_id);
    assert.deepEqual(
      [entry?.tool_name, entry?.server_identity, entry?.policy_decision, entry?.evidence_class],
      [SEARCH, null, "allow", "hash-only"],
    );
    const claim = await client.close(receipt.session_id);
    const closed = await client.export(receipt.session_id);
    const paths: string[] = [];
    for (const [name, value] of Object.entries({ claim, closed, receipt })) {
      paths.push(join(folder, `${name}.json`));
      await writeFile(join(folder, `${name}.json`), JSON.stringify(value));
    }
    const [claimPath = "", bundlePath = "", receiptPath = ""] = paths;
    const run = await cmcp([
      "verify",
      claimPath,
      "--audit-bundle",
      bundlePath,
      "--receipt",
      receiptPath,
      "--allow-software-only",
    ]);
    assert.equal(run.code, 0, run.stdout + run.stderr);
  });
});
