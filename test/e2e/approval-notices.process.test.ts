/** Notices of approvals, end to end: a receiver over TLS in a process of its own, and a gateway whose host cannot read or forge them. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { createPublicKey, generateKeyPairSync, verify, webcrypto } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { isNoticeSignedBy, readNotice } from "../../packages/approval/src/index.ts";
import { untrusted } from "@cmcp/boundary";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import * as z from "zod";
import { startToolsServer, type ToolsServer } from "../attacks/tools-server.ts";
import { deploy, ROOT } from "../gateway/deployment.ts";
import { developmentEnvironment, startGateway, StartRefused, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken } from "../gateway/principals.ts";
import { refusedCode } from "../gateway/refused-call.ts";

const POLICIES = `@id("allow-all") permit (principal, action, resource);
@id("mail-needs-a-person") @aarm_decision("require_approval") @approval_reason("mail leaves the company")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"mail");
`;
const PLACE = "https://approve.example/";
const receivedSchema = z.object({
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
  answered: z.string(),
});
type Received = z.output<typeof receivedSchema>;

/** The receiver's process, and what it says. */
class Receiver {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #place = { port: 0, fingerprint: "" };

  constructor() {
    const entry = join(ROOT, "test/gateway/notice-receiver.ts");
    this.#child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    assert.ok(this.#child.stdout !== null);
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  async start(): Promise<this> {
    this.#place = z.object({ port: z.number(), fingerprint: z.string() }).parse(await this.#next());
    return this;
  }

  get config(): string {
    const { port, fingerprint } = this.#place;
    return `{url: "https://127.0.0.1:${port}/approvals?to=ops", tls_fingerprint: "${fingerprint}"}`;
  }

  async answerWith(how: string): Promise<void> {
    this.#child.stdin?.write(`${how}\n`);
    assert.deepEqual(await this.#next(), { now: how });
  }

  async received(): Promise<Received> {
    return receivedSchema.parse(await this.#next());
  }

  end(): void {
    this.#child.stdin?.end();
  }

  async #next(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    assert.ok(done !== true, "the receiver ended");
    return JSON.parse(value);
  }
}

/** Looks again and again; a test that is out of time says what it saw. */
async function eventually(holds: () => boolean | Promise<boolean>, seen: () => string): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(seen());
}

describe("notices of approvals", { timeout: 240_000 * PATIENCE }, () => {
  const token = newToken();
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  let folder = "";
  let server: ToolsServer;
  let receiver: Receiver;
  let gateway: Gateway;
  const deployed = async (name: string, webhook: string): Promise<string> =>
    await deploy(join(folder, name), {
      tools: [{ name: "mail", url: server.url, inputSchema: INPUT }],
      policies: POLICIES,
      config: `enclave: {approvers: [{id: alice, ed25519: ${x}}], approval_url: "${PLACE}", approval_webhook: ${webhook}}\n`,
    });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-notices-"));
    server = await startToolsServer("office", [
      { name: "mail", description: "mail.", input: { text: z.string().optional() }, run: () => "sent" },
    ]);
    receiver = await new Receiver().start();
    gateway = await startGateway(await deployed("deployment", receiver.config), developmentEnvironment(token));
  });
  after(async () => {
    await gateway?.stop();
    receiver?.end();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const asked = async (text: string): Promise<string> => {
    const agent = new Client({ name: "agent", version: "1" }, { versionNegotiation: { mode: "legacy" } });
    const headers = { authorization: `Bearer ${token}` };
    await agent.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    const result = await agent.callTool({ name: "mail", arguments: { text } });
    assert.equal(refusedCode(result), "APPROVAL_REQUIRED", JSON.stringify(result));
    await agent.close();
    const { approval } = (result._meta?.["cmcp.gateway/error"] ?? {}) as { approval?: { approval_id: string } };
    return approval?.approval_id ?? "";
  };
  const signingKey = async (): Promise<string> => {
    const report = (await (await fetch(`${gateway.url}/attestation`)).json()) as {
      binding: { keys: { signing: string } };
    };
    return report.binding.keys.signing;
  };
  const status = async (): Promise<unknown> => {
    const answer = await fetch(`${gateway.url}/v1/status`, { headers: { authorization: `Bearer ${token}` } });
    return ((await answer.json()) as { approval_notices?: unknown }).approval_notices;
  };

  test("one comes to the receiver for each call that begins to wait, signed by the instance, with nothing of the call", async () => {
    const id = await asked("Grüße an Bob");
    const { method, url, headers, body } = await receiver.received();
    assert.deepEqual([method, url], ["POST", "/approvals?to=ops"]);
    const { notice, signature } = readNotice(untrusted(new TextEncoder().encode(body)));
    assert.deepEqual([notice.approval_id, notice.url, notice.needed], [id, `${PLACE}${id}`, 1]);
    assert.equal(await isNoticeSignedBy(webcrypto, await signingKey(), { notice, signature }), true);
    const said = body + JSON.stringify(headers);
    for (const content of ["Grüße", "mail", "office", "tools/call", "default", "leaves", token])
      assert.ok(!said.includes(content), content);
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: await signingKey() }, format: "jwk" });
    const [version, base64 = ""] = (headers["webhook-signature"] ?? "").split(",");
    const over = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    assert.equal(version, "v1a");
    assert.equal(headers["webhook-id"], id);
    assert.ok(verify(null, Buffer.from(over), key, Buffer.from(base64, "base64")));
    const other = await asked("another");
    assert.equal((await receiver.received()).headers["webhook-id"], other);
  });

  test("a receiver that is busy gets it again, with the same id and body", async () => {
    await receiver.answerWith("busy");
    const id = await asked("busy");
    const first = await receiver.received();
    assert.deepEqual([first.headers["webhook-id"], first.answered], [id, "busy"]);
    await receiver.answerWith("ok");
    const again = await receiver.received();
    assert.deepEqual([again.headers["webhook-id"], again.body, again.answered], [id, first.body, "ok"]);
  });

  test("a redirect is not followed, and status and log say so in a word", async () => {
    await receiver.answerWith("redirect");
    const id = await asked("redirected");
    assert.equal((await receiver.received()).headers["webhook-id"], id);
    // The host writes the enclave's lines as text within its own.
    const line = JSON.stringify(`{"event":"approval_notice_failed","approval_id":"${id}","reason":"redirect"}`).slice(
      1,
      -1,
    );
    await eventually(
      () => gateway.log().includes(line),
      () => gateway.log(),
    );
    assert.deepEqual(await status(), { waiting: 0, delivered: 3, failed: { redirect: 1 } });
    assert.ok(!gateway.log().includes("redirected"));
  });

  test("a receiver that says nothing holds no call and no stop", async () => {
    await receiver.answerWith("hang");
    const id = await asked("silent");
    assert.equal((await receiver.received()).headers["webhook-id"], id);
    const second = await asked("silent still");
    assert.equal((await receiver.received()).headers["webhook-id"], second);

    assert.equal(await gateway.stop(), 0);

    assert.equal(server.calls.length, 0);
  });

  test("a gateway with another key of the receiver tells it nothing, and a start with http needs development", async () => {
    const wrong = receiver.config.replace(/SHA256:[^"]*/, `SHA256:${Buffer.alloc(32, 1).toString("base64")}`);
    gateway = await startGateway(await deployed("other", wrong), developmentEnvironment(token));
    await asked("to nobody");
    let seen: unknown;
    await eventually(
      async () => JSON.stringify((seen = await status())) === '{"waiting":1,"delivered":0,"failed":{}}',
      () => JSON.stringify(seen),
    );
    // What the receiver says next is its answer to this, and no notice.
    await receiver.answerWith("ok");
    const plain = await deployed("plain", '{url: "http://127.0.0.1:1/"}');
    await assert.rejects(startGateway(plain, { CMCP_BEARER_TOKEN: token }), (thrown) => {
      assert.ok(thrown instanceof StartRefused);
      assert.match(thrown.output, /enclave\.approval_webhook\.url: http is for development/);
      return true;
    });
  });
});

const INPUT = {
  type: "object",
  properties: { text: { type: "string" } },
  $schema: "http://json-schema.org/draft-07/schema#",
};
