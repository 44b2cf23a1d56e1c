/** `cmcp connect` behind a host that cuts the connection once a call was served: the client is told how the call ended, and nothing is sent again. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { startConnect } from "../gateway/connected.ts";
import { startFixture, type Fixture } from "../gateway/fixture.ts";
import { CLI } from "../gateway/gateway.ts";

/** What stands between an agent's machine and the gateway, and cuts what it is told to. */
interface CuttingProxy {
  readonly url: string;
  /** Sealed requests so far. */
  readonly sealed: () => number;
  /** Names of the fields that the last one came with, outside of the seal. */
  readonly fields: () => readonly string[];
  /** From here on each answer to a sealed request is cut off: before its first byte, or before its last. */
  cut: "first" | "last" | null;
  /** How many were cut. */
  readonly cuts: () => number;
  close(): Promise<void>;
}

async function startCuttingProxy(gateway: string): Promise<CuttingProxy> {
  let [sealed, cuts] = [0, 0];
  let fields: readonly string[] = [];
  const target = new URL(gateway);
  const proxy: Pick<CuttingProxy, "cut"> = { cut: null };
  /** Lets the gateway answer to the end, so that the call was served; then the connection breaks. Only one answer is cut. */
  const cutOff = (answer: IncomingMessage, response: ServerResponse, where: "first" | "last"): void => {
    proxy.cut = null;
    cuts += 1;
    void answer.toArray().then((pieces) => {
      const bytes = Buffer.concat(pieces as Buffer[]);
      if (where === "first") return response.destroy();
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.write(bytes.subarray(0, -1), () => response.destroy());
      return response;
    });
  };
  const server = createServer((incoming, response) => {
    const isSealed = incoming.url === "/sealed";
    if (isSealed) [sealed, fields] = [sealed + 1, Object.keys(incoming.headers)];
    const where = isSealed ? proxy.cut : null;
    const { method, url: path, headers } = incoming;
    const outgoing = httpRequest({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
      if (where !== null) return cutOff(answer, response, where);
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    // A client that leaves a stream is no failure of the test.
    outgoing.on("error", () => response.destroy());
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sealed: () => sealed,
    fields: () => fields,
    cuts: () => cuts,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  });
}

describe("cmcp connect whose answer is lost", () => {
  let fixture: Fixture;
  let proxy: CuttingProxy;
  before(async () => {
    fixture = await startFixture();
    proxy = await startCuttingProxy(fixture.gateway.url);
  });
  after(async () => {
    await proxy?.close();
    await fixture?.close();
  });

  const reached = (to: string): number =>
    fixture.records.calls.filter((call) => (call.arguments as { to?: string }).to === to).length;
  const message = (to: string) => ({ name: "send_message", arguments: { to, text: "x" } });

  /** A client of the modern era, which opens no stream beside its calls: the next sealed request is the call. */
  async function loses(client: Client, transport: Parameters<Client["connect"]>[0], what: string): Promise<void> {
    await client.connect(transport);
    try {
      // With this the size of the log is known.
      await client.callTool(message(`${what} before`));
      for (const where of ["first", "last"] as const) {
        const to = `${what} ${where}`;
        const [before, cuts] = [proxy.sealed(), proxy.cuts()];
        proxy.cut = where;
        await assert.rejects(client.callTool(message(to)), /SEAL_ANSWER_LOST.*decision allow, outcome delivered/);
        assert.deepEqual([reached(to), proxy.cuts()], [1, cuts + 1]);
        assert.ok(proxy.sealed() >= before + 2, "the call, and a question for its outcome");
        await client.callTool(message(`${what} after ${where}`));
        assert.deepEqual([reached(to), reached(`${what} after ${where}`)], [1, 1], "and the client goes on");
      }
    } finally {
      await client.close();
    }
  }
  const modern = (): Client => new Client({ name: "agent", version: "1" }, { versionNegotiation: { mode: "auto" } });

  test("a client over standard input and output is told how the call ended, and the server saw it once", async () => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [CLI, "connect", "--url", proxy.url, "--allow-software-only"],
      env: { PATH: process.env["PATH"] ?? "", CMCP_BEARER_TOKEN: fixture.token },
      stderr: "ignore",
    });
    await loses(modern(), transport, "stdio");
  });

  test("what it sends does not go by the platform's fetch, which loses an answer that takes 300 seconds to begin", () => {
    const fields = proxy.fields();
    assert.ok(fields.includes("content-type"), fields.join());
    // Every request of that fetch has this field.
    assert.ok(!fields.includes("sec-fetch-mode"), fields.join());
  });

  test("a client over HTTP is told so, too", async (t) => {
    const connected = await startConnect(proxy.url, { token: fixture.token });
    t.after(() => connected.stop());
    await loses(modern(), new StreamableHTTPClientTransport(new URL(connected.mcp)), "http");
  });
});
