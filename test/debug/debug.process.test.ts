/** A debugger attaches to the enclave in development, stops where a call is decided, and sees the TypeScript sources. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { deployQuickstart, listenOnAnyPort, ROOT } from "../gateway/deployment.ts";
import { startDebuggedGateway } from "./debugged-gateway.ts";
import { buildDevelopmentEnclave } from "./development-enclave.ts";

const DECIDES = join(ROOT, "packages/enclave/src/call/decide-by-policy.ts");

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly callFrames?: readonly { readonly functionName: string }[] };
  readonly error?: object;
}

/** A debugger's connection (Chrome DevTools Protocol). */
class Debugger {
  readonly #socket: WebSocket;
  readonly #waiting: { readonly matches: (message: Message) => boolean; readonly take: (message: Message) => void }[] =
    [];
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data)) as Message;
      for (const { matches, take } of this.#waiting) if (matches(message)) take(message);
    });
  }

  static async attach(address: string): Promise<Debugger> {
    const socket = new WebSocket(address);
    await new Promise((opened, failed) => {
      socket.addEventListener("open", opened);
      socket.addEventListener("error", failed);
    });
    return new Debugger(socket);
  }

  next(matches: (message: Message) => boolean): Promise<Message> {
    return new Promise((take) => this.#waiting.push({ matches, take }));
  }

  async send(method: string, params: object = {}): Promise<void> {
    const id = ++this.#last;
    const answer = this.next((message) => message.id === id);
    this.#socket.send(JSON.stringify({ id, method, params }));
    assert.equal((await answer).error, undefined, method);
  }

  close(): void {
    this.#socket.close();
  }
}

/** The map inside a bundle. */
function mapOf(script: string): SourceMap {
  const [, encoded = ""] = /^\/\/# sourceMappingURL=data:application\/json;base64,(.*)$/m.exec(script) ?? [];
  return new SourceMap(
    JSON.parse(Buffer.from(encoded, "base64").toString()) as ConstructorParameters<typeof SourceMap>[0],
  );
}

test("a debugger stops the enclave in the source that decides a call", async (t) => {
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, ".cache/debug-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const entry = await buildDevelopmentEnclave(join(folder, "enclave"));
  const config = await deployQuickstart(join(folder, "quickstart"), {
    everythingPort: 9,
    recordsPort: 9,
    recordsFingerprint: `SHA256:${Buffer.alloc(32).toString("base64")}`,
  });
  await listenOnAnyPort(config);
  let log = "";
  const environment = { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: "t".repeat(43) };
  const host = await startDebuggedGateway(config, environment, {
    entry,
    inspectorPort: 0,
    log: { write: (text) => (log += text) },
  });
  t.after(() => host.close());
  assert.equal(host.placement.isolation, "none");

  const [, address = ""] = /Debugger listening on (ws:\/\/127\.0\.0\.1:[^\s"\\]+)/.exec(log) ?? [];
  const session = await Debugger.attach(address);
  t.after(() => session.close());
  const script = readFileSync(entry, "utf8");
  const line = script.split("\n").findIndex((text) => text.startsWith("function decideByPolicy("));
  const original = mapOf(script).findEntry(line + 1, 4);
  assert.ok("originalSource" in original);
  assert.equal(resolve(dirname(entry), original.originalSource), DECIDES);

  const paused = session.next(({ method }) => method === "Debugger.paused");
  await session.send("Debugger.enable");
  await session.send("Debugger.setBreakpointByUrl", { lineNumber: line + 1, url: `file://${entry}` });
  const answer = fetch(`http://127.0.0.1:${host.address.port}/mcp`, {
    method: "POST",
    headers: { authorization: `Bearer ${environment.CMCP_BEARER_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "echo", arguments: { message: "a" }, _cmcp: {} },
    }),
  });
  assert.equal((await paused).params?.callFrames?.[0]?.functionName, "decideByPolicy");
  await session.send("Debugger.resume");
  await (await answer).text();
});

test("what ships has no source map", () => {
  for (const file of ["enclave.cjs", "policy-worker.cjs"])
    assert.doesNotMatch(readFileSync(join(ROOT, "packages/cli/dist/enclave", file), "utf8"), /sourceMappingURL=data/);
});
