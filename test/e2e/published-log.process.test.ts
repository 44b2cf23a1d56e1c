/** A client under the seal whose gateway publishes its log as `cmcp log export` writes it: the heads of its receipts are held to those files. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { connect, type Connection } from "@cmcp/client";
import { cmcp } from "../gateway/cli.ts";
import { startFixture, type Fixture } from "../gateway/fixture.ts";

const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
/** With these calls the log has a full tile, and a part of the next one. */
const CALLS = 160;

/** A gateway's host that publishes a folder beside the gateway, as a web server in front of it does. */
interface Publisher {
  readonly url: string;
  /** The exported log; without one nothing is published. */
  folder: string | null;
  /** Paths of the log that were asked for. */
  readonly asked: string[];
  close(): Promise<void>;
}

async function startPublisher(gateway: string): Promise<Publisher> {
  const { hostname: host, port } = new URL(gateway);
  const asked: string[] = [];
  const publisher: { folder: string | null } = { folder: null };
  const server = createServer((incoming, response) => {
    const { method, url: path = "/", headers } = incoming;
    if (/^\/(?:checkpoint$|tile\/)/.test(path)) {
      asked.push(path);
      const file =
        publisher.folder === null ? Promise.reject(new Error("none")) : readFile(join(publisher.folder, path));
      file.then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
      return;
    }
    const outgoing = httpRequest({ host, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(publisher, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  });
}

describe("a gateway that publishes its log", () => {
  let fixture: Fixture;
  let other: Fixture;
  let publisher: Publisher;
  before(async () => {
    [fixture, other] = [await startFixture(), await startFixture()];
    publisher = await startPublisher(fixture.gateway.url);
  });
  after(async () => {
    await publisher?.close();
    await other?.close();
    await fixture?.close();
  });

  const exported = async ({ folder }: Fixture, name: string): Promise<string> => {
    const out = join(fixture.folder, name);
    const { code, stderr } = await cmcp(["log", "export", "--store", join(folder, "deployment/audit.db"), out]);
    assert.equal(code, 0, stderr);
    return out;
  };
  const connected = async (notices: string[] = []): Promise<Connection> =>
    await connect(new URL(publisher.url), EXPECTED, { crypto: webcrypto, onNotice: (text) => notices.push(text) });
  const call = async ({ fetch: sealedFetch }: Connection, count = 1): Promise<void> => {
    for (let at = 0; at < count; at += 1) {
      const reply = await sealedFetch(`${publisher.url}/mcp`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${fixture.token}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: "echo", arguments: { message: `${at}` }, _cmcp: { session_id: "published" } },
        }),
      });
      assert.match(await reply.text(), /Echo: /);
    }
  };

  test("its heads are found in the exported files, over full and partial tiles, and as the export grows", async () => {
    const notices: string[] = [];
    const connection = await connected(notices);
    await call(connection);
    await connection.close();
    assert.match(notices.join(), /the log is not published/);
    publisher.folder = await exported(fixture, "early");
    const early = await connected(notices);
    await call(early);
    await early.close();
    publisher.folder = await exported(fixture, "next");
    publisher.asked.length = 0;
    await early.close();
    assert.equal(publisher.asked[0], "/checkpoint", "the head that the export did not have is still held to it");
    publisher.asked.length = 0;
    await early.close();
    assert.equal(publisher.asked.length, 0, "and no head is left");
    const long = await connected();
    await call(long, CALLS);
    await long.close();
    publisher.folder = await exported(fixture, "late");
    publisher.asked.length = 0;
    await long.close();
    assert.ok(publisher.asked.includes("/tile/0/000"), publisher.asked.join());
    assert.ok(
      publisher.asked.some((path) => path.startsWith("/tile/0/001.p/")),
      publisher.asked.join(),
    );
    // The older export is not asked for what came after it, and the newer one has it.
    await call(long);
    await long.close();
    publisher.folder = await exported(fixture, "later");
    await long.close();
    assert.equal(notices.length, 1, "only where nothing was published");
  });

  /** What becomes of a connection that saw the log, once its host shows the folder that `lie` makes. */
  async function shown(name: string, lie: () => Promise<string>): Promise<void> {
    const connection = await connected();
    await call(connection);
    await connection.close();
    publisher.folder = await exported(fixture, `before-${name}`);
    await connection.close();
    await call(connection);
    publisher.folder = await lie();
    await assert.rejects(connection.close(), { code: "LOG_MISMATCH" });
    await assert.rejects(call(connection), { code: "LOG_MISMATCH" }, "and nothing more is sent");
    publisher.folder = await exported(fixture, `after-${name}`);
    const honest = await connected();
    await call(honest);
    await honest.close();
  }

  test("another log of the same name ends the connection", async () => {
    const { token, gateway } = other;
    const second = await connect(new URL(gateway.url), EXPECTED, { crypto: webcrypto });
    for (let at = 0; at < 2 * CALLS; at += 1)
      await (
        await second.fetch(gateway.mcp, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json" },
          body: JSON.stringify({
            jsonrpc: "2.0",
            id: 1,
            method: "tools/call",
            params: { name: "echo", arguments: { message: `${at}` }, _cmcp: { session_id: "other" } },
          }),
        })
      ).text();
    await shown("other", async () => await exported(other, "other"));
  });

  test("an older export than the one before ends it", async () => {
    await shown("older", async () => await Promise.resolve(join(fixture.folder, "early")));
  });

  test("a tile that is not the log's ends it", async () => {
    await shown("changed", async () => {
      const folder = await exported(fixture, "changed");
      const [, size = ""] = (await readFile(join(folder, "checkpoint"), "utf8")).split("\n");
      // Hashes of full tiles come from the level above.
      const tile = join(folder, `tile/0/001.p/${Number(size) - 256}`);
      const bytes = await readFile(tile);
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      await writeFile(tile, bytes);
      return folder;
    });
  });
});
