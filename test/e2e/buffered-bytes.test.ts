/** What the gateway holds for others is in its status while it is held, and gone from it afterwards. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MAX_BUFFERED_BYTES } from "@cmcp/boundary";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken, tokenLine } from "../gateway/principals.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const MiB = 1024 * 1024;
/** More than the sockets between agent and gateway take on their own. */
const LARGE = 24 * MiB;
const CALL = (name: string): string =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } });

describe("bytes held for others", { timeout: 120_000 * PATIENCE }, () => {
  const tokens = { alice: newToken(), operator: newToken() };
  const servers: RawServer[] = [];
  let folder = "";
  let gateway: Gateway;
  /** Sends the rest of the answer that `half` keeps back. */
  let finish: () => void = () => undefined;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-buffered-"));
    const half = await startRawServer("half", (socket, { id }) => {
      const whole = reply(callReply(id, "x".repeat(100_000)));
      socket.write(whole.slice(0, -1_000));
      finish = () => socket.write(whole.slice(-1_000));
    });
    const large = await startRawServer("large", (socket, { id }) =>
      socket.write(reply(callReply(id, "x".repeat(LARGE)))),
    );
    servers.push(half, large);
    const config = await deploy(folder, {
      tools: [
        { name: "half", url: half.url },
        { name: "large", url: large.url },
      ],
      policies: ALLOW_ALL,
      config: `max_response_size_bytes: ${32 * MiB}\nenclave:\n  token_file: tokens\n  principals:\n    - id: alice\n    - id: operator\n`,
    });
    await writeFile(join(folder, "tokens"), tokenLine("alice", tokens.alice) + tokenLine("operator", tokens.operator), {
      mode: 0o600,
    });
    gateway = await startInProcess(config, { CMCP_DEV_MODE: "1" });
  });
  after(async () => {
    await gateway?.stop();
    for (const server of servers) await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function held(): Promise<number> {
    const response = await fetch(`${gateway.url}/v1/status`, {
      headers: { authorization: `Bearer ${tokens.operator}` },
    });
    const text = await response.text();
    assert.ok(text !== "", `${response.status} ${JSON.stringify([...response.headers])}`);
    const { load } = JSON.parse(text) as { load: { buffered_bytes: { held: number; max: number } } };
    assert.equal(load.buffered_bytes.max, MAX_BUFFERED_BYTES);
    return load.buffered_bytes.held;
  }
  async function until(condition: (bytes: number) => boolean): Promise<void> {
    while (!condition(await held())) await sleep(20);
  }
  function post(length: number): ClientRequest {
    const headers = {
      authorization: `Bearer ${tokens.alice}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "content-length": length,
    };
    return request(gateway.mcp, { method: "POST", headers });
  }

  test("nothing while nobody asks for anything", async () => {
    assert.equal(await held(), 0);
  });

  test("a body that comes slowly, until its agent leaves", async () => {
    const slow = post(500_000);
    slow.on("error", () => undefined);
    slow.write(" ".repeat(100_000));
    await until((bytes) => bytes === 100_000);
    slow.destroy();
    await until((bytes) => bytes === 0);
  });

  test("an answer that a server does not finish, until it does", async () => {
    const asked = fetch(gateway.mcp, {
      method: "POST",
      headers: { authorization: `Bearer ${tokens.alice}`, "content-type": "application/json" },
      body: CALL("half"),
    });
    await until((bytes) => bytes > 99_000);
    finish();
    assert.equal((await asked).status, 200);
    assert.equal(await held(), 0);
  });

  for (const end of ["reads it after all", "leaves"] as const) {
    test(`an answer that its agent does not read, until it ${end}`, async () => {
      const body = CALL("large");
      const slow = post(body.length);
      slow.on("error", () => undefined);
      const response = await new Promise<IncomingMessage>((resolve) => slow.on("response", resolve).end(body));
      response.on("error", () => undefined);
      await until((bytes) => bytes > LARGE && bytes < LARGE + MiB);
      if (end === "leaves") slow.destroy();
      else {
        let read = 0;
        for await (const chunk of response as AsyncIterable<Buffer>) read += chunk.byteLength;
        assert.ok(read > LARGE);
      }
      await until((bytes) => bytes === 0);
    });
  }
});
