/**
 * The client that the suite runs for its `auth/*` scenarios: the gateway's own upstream side (`packages/mcp`, `packages/oauth`),
 * with an operator who approved what the suite starts, and a person who consents to everything.
 *
 * Usage: node command.ts FOLDER URL, with the suite's MCP_CONFORMANCE_* variables. How it ended is written to FOLDER.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import { UpstreamClient } from "@cmcp/mcp";
import { Clients, Consents, makeSigningPair, ServerAuthorization } from "@cmcp/oauth";
import { AUTHORIZATION_SCENARIOS } from "./scenarios.ts";

/** Consents that a person gives in one scenario. */
const MAX_CONSENTS = 5;

const [folder = "", url = ""] = process.argv.slice(2);
const name = process.env["MCP_CONFORMANCE_SCENARIO"] ?? "";
const version = process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] ?? "";
const scenario = AUTHORIZATION_SCENARIOS.get(name);
if (scenario === undefined) throw new Error(`nothing is configured for the authorization scenario ${name}`);
const context: unknown = JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "null");

const monotonic = (): number => performance.now();
const consents = new Consents(monotonic);
const { client, grant } = await scenario.configure(context, consents);

const authorization = new ServerAuthorization({
  server: new URL(url),
  // Whatever issuer the suite starts is one that the operator approved: the suite is about what comes after that.
  issuers: { has: () => true },
  clients: new Clients(client, fetch),
  grant,
  scopes: null,
  audience: null,
  proofs: "offered",
  subject: "agent",
  pair: await makeSigningPair(),
  fetch,
  now: () => Math.floor(Date.now() / 1000),
  monotonic,
});

const upstream = new UpstreamClient({
  url: new URL(url),
  dial: async (host, port) => connect(port, host),
  tls: { mode: "none" },
  clientInfo: { name: "cmcp-gateway", version: "1.0.0" },
  authorization,
  era: version === "2026-07-28" ? "modern" : "legacy",
});

/** A person's browser: it follows the link, and comes back with what the authorization server says. */
async function consent(link: string): Promise<void> {
  const { headers } = await fetch(link, { redirect: "manual" });
  const location = headers.get("location");
  if (location === null) throw new Error("the authorization server sends the browser nowhere");
  await consents.complete(new URL(location).search.slice(1));
}

let given = 0;

/** Does what an agent asks for, as often as a person has to consent first. */
async function attempt<T>(request: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await request();
    } catch (thrown) {
      const link = thrown instanceof CmcpError ? thrown.detail["consent_url"] : undefined;
      if (typeof link !== "string" || given >= MAX_CONSENTS) throw thrown;
      given += 1;
      await consent(link);
    }
  }
}

async function actAsAgent(): Promise<void> {
  const { signal } = new AbortController();
  await attempt(() => upstream.listTools("session", signal));
  const tool = { name: "test-tool", inputSchema: { type: "object" } };
  await attempt(() => upstream.callTool("session", tool, {}, signal));
}

const ended = await actAsAgent().then(
  () => null,
  (thrown: unknown) => (thrown instanceof CmcpError ? thrown : new Error("the agent failed", { cause: thrown })),
);
await upstream.close();
const code = ended instanceof CmcpError ? ended.code : ended === null ? null : String(ended.cause);
const failure = code === scenario.ends ? null : `ended with ${code ?? "success"}: ${ended?.message ?? ""}`;
if (ended !== null) process.exitCode = 1;
await mkdir(join(folder, name, ".."), { recursive: true });
await writeFile(join(folder, `${name}.json`), JSON.stringify({ failure }));
