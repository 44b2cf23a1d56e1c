import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import * as z from "zod";
import { startToolsServer, type ToolsServer } from "../attacks/tools-server.ts";
import { Browser, type Tab, type VirtualCredential } from "../browser/chromium.ts";
import { freePort, startPage, stopPage, type ServedPage } from "./approvals-page.ts";
import { deploy } from "./deployment.ts";
import { developmentEnvironment, startGateway, type Gateway } from "./gateway.ts";
import { writePolicySchema } from "./policy-schema.ts";
import { newToken } from "./principals.ts";
import { refusedCode } from "./refused-call.ts";

const POLICIES = `@id("allow-all") permit (principal, action, resource);
@id("mail-needs-a-person") @aarm_decision("require_approval") @approval_reason("mail leaves the company")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"mail");
@id("no-copies") @aarm_decision("step_up")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"publish")
when { context.argument_findings.secrets > 0 || context.flow_coverage > 50 };
@id("ledger-leaves-with-a-person") @aarm_decision("step_up")
forbid (principal, action == cMCP::Action::"deliver_result", resource == cMCP::Resource::"ledger");
`;
/** What the tool `ledger` returns. */
export const LEDGER =
  "The account of Maria Gonzales has a balance of 7.312 EUR, and three payments to the ward are open.";

/** What a request to the command is answered. */
interface Answered {
  readonly status: number;
  readonly code: string;
}

/** An approver whose passkey a browser made. */
interface Registered {
  readonly approver: object;
  readonly passkeys: readonly VirtualCredential[];
  /** What the page then showed. */
  readonly lines: string;
}

type Closing = () => Promise<void>;

async function closeAll(closing: readonly Closing[]): Promise<void> {
  for (const close of closing.toReversed()) await close();
}

/** What runs for an approver: a gateway before one tool server, an agent, the command that serves the page, and a browser with the passkey. */
interface Running extends Registered {
  /** What ends it, in the order in which it started. */
  readonly closing: readonly Closing[];
  readonly server: ToolsServer;
  readonly gateway: Gateway;
  readonly browser: Browser;
  readonly port: number;
  readonly agent: Client;
}

/** An office with one approver, alice: mails of its agent wait for her, and so do results of the ledger. */
export class ApprovalsOffice {
  readonly #running: Running;
  readonly page: ServedPage;
  readonly tab: Tab;

  private constructor(running: Running, page: ServedPage, tab: Tab) {
    this.#running = running;
    this.page = page;
    this.tab = tab;
  }

  /** Starts it whole. Where something does not start, what runs already is ended. */
  static async start(): Promise<ApprovalsOffice> {
    const closing: Closing[] = [];
    try {
      return await ApprovalsOffice.#started(closing);
    } catch (thrown) {
      await closeAll(closing);
      throw thrown;
    }
  }

  static async #started(closing: Closing[]): Promise<ApprovalsOffice> {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-approvals-page-"));
    closing.push(async () => await rm(folder, { recursive: true, force: true }));
    const browser = await Browser.start();
    closing.push(async () => await browser.close());
    const port = await freePort();
    const registered = await register(browser, port);
    const server = await startOffice();
    closing.push(async () => await server.close());
    const token = newToken();
    const gateway = await startGateway(
      await deployed(join(folder, "deployment"), server, registered.approver),
      developmentEnvironment(token),
    );
    closing.push(async () => void (await gateway.stop()));
    const page = await serve(gateway, port);
    closing.push(async () => void (await stopPage(page)));
    const tab = await browser.open(page.url);
    await tab.addCredentials(registered.passkeys);
    const agent = new Client({ name: "agent", version: "1" }, { versionNegotiation: { mode: "legacy" } });
    const headers = { authorization: `Bearer ${token}` };
    await agent.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    closing.push(async () => await agent.close());
    return new ApprovalsOffice({ ...registered, closing, server, gateway, browser, port, agent }, page, tab);
  }

  async close(): Promise<void> {
    await closeAll(this.#running.closing);
  }

  get server(): ToolsServer {
    return this.#running.server;
  }

  get gateway(): Gateway {
    return this.#running.gateway;
  }

  get browser(): Browser {
    return this.#running.browser;
  }

  get agent(): Client {
    return this.#running.agent;
  }

  get port(): number {
    return this.#running.port;
  }

  get passkeys(): readonly VirtualCredential[] {
    return this.#running.passkeys;
  }

  get lines(): string {
    return this.#running.lines;
  }

  pins(): readonly string[] {
    return pinsOf(this.gateway);
  }

  /** Serves the page at another port as well. */
  async serve(port: number): Promise<ServedPage> {
    return await serve(this.gateway, port);
  }

  callsOf(words: string): number {
    return this.server.calls.filter(({ arguments: args }) => args["text"] === words).length;
  }

  async mail(words: string) {
    return await this.agent.callTool({ name: "mail", arguments: { text: words } });
  }

  /** A request to the command as a script of the page sends it. */
  async asked(path: string, body: string): Promise<Answered> {
    return await this.tab.evaluate<Answered>(
      `fetch(${JSON.stringify(`api/${path}`)}, { method: "POST", headers: { "content-type": "application/json" }, body: ${JSON.stringify(body)} })
         .then(async (answer) => ({ status: answer.status, code: (await answer.json()).error?.code ?? "" }))`,
    );
  }

  sentTo(end: string): string {
    return this.tab.sent.findLast(({ path, body }) => path.endsWith(end) && body !== "")?.body ?? "";
  }

  async signedIn(at: Tab = this.tab): Promise<void> {
    if (/Sign in/.test(await at.shows(/Sign in|waits? for you/))) await at.press("Sign in with your passkey");
    await at.shows(/waits? for you/);
  }

  /** A call that waits, and its page. */
  async opened(words: string): Promise<string> {
    assert.equal(refusedCode(await this.mail(words)), "APPROVAL_REQUIRED");
    await this.tab.go(this.page.url);
    await this.signedIn();
    await this.tab.shows(/1 call waits/);
    await this.tab.press("Look at this call");
    return await this.tab.shows(/Your answer/);
  }

  async denied(reason = "cleared"): Promise<void> {
    await this.tab.reach("Reason");
    await this.tab.type(reason);
    await this.tab.press("Deny");
    await this.tab.shows(/Denied/);
  }
}

async function register(browser: Browser, port: number): Promise<Registered> {
  const address = `127.0.0.1:${port}`;
  const made = await startPage("stderr", "register", "--approver", "alice", "--listen", address, "--json");
  const printed = text(made.child.stdout ?? process.stdin);
  const exited = once(made.child, "exit");
  const tab = await browser.open(made.url);
  await tab.shows(/Make a passkey/);
  await tab.picture("register");
  await tab.press("Make the passkey");
  await tab.shows(/signs a random text/);
  await tab.picture("test");
  await tab.press("Test the passkey");
  const lines = await tab.shows(/Your passkey is made/);
  assert.deepEqual(tab.complaints, []);
  const passkeys = await tab.credentials();
  assert.deepEqual(await exited, [0, null]);
  const { approver } = JSON.parse(await printed) as { approver: object };
  return { approver, passkeys, lines };
}

async function startOffice(): Promise<ToolsServer> {
  const input = { text: z.string().optional() };
  return await startToolsServer("office", [
    { name: "mail", description: "mail.", input, run: () => "sent" },
    { name: "publish", description: "publish.", input, run: () => "published" },
    { name: "ledger", description: "ledger.", input, run: () => LEDGER },
  ]);
}

async function deployed(folder: string, server: ToolsServer, approver: object) {
  const inputSchema = {
    type: "object",
    properties: { text: { type: "string" } },
    $schema: "http://json-schema.org/draft-07/schema#",
  };
  const config = await deploy(folder, {
    tools: ["mail", "publish", "ledger"].map((name) => ({ name, url: server.url, inputSchema })),
    policies: POLICIES,
    config: `enclave: ${JSON.stringify({ approvers: [approver] })}\n`,
  });
  await writePolicySchema(folder);
  return config;
}

function pinsOf(gateway: Gateway): readonly string[] {
  return ["--allow-software-only", "--launch-digest", gateway.launch_digest.replace("sha256:", "")];
}

async function serve(gateway: Gateway, port: number): Promise<ServedPage> {
  const address = `127.0.0.1:${port}`;
  const options = ["--url", gateway.url, "--approver", "alice", "--listen", address, ...pinsOf(gateway)];
  return await startPage("stdout", "serve", ...options);
}
