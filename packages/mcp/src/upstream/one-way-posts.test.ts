import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, createServer as createTcp, type AddressInfo, type Server } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { selfSigned, testKey } from "../testing/certificate.ts";
import { OneWayPosts } from "./one-way-posts.ts";

const key = testKey();

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly id: string | string[] | undefined;
  readonly body: string;
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A receiver over TLS, what it received, and posts to it. */
async function receiver(
  t: TestContext,
  answer: (response: ServerResponse, request: IncomingMessage) => void,
  { pin = key.pin, host = "127.0.0.1", totalMs = 5_000 }: { pin?: Uint8Array; host?: string; totalMs?: number } = {},
) {
  const received: Received[] = [];
  const server = createTlsServer(selfSigned(key, host), (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => void (body += chunk.toString()));
    request.on("end", () => {
      received.push({ method: request.method, url: request.url, id: request.headers["webhook-id"], body });
      answer(response, request);
    });
  });
  const port = await portOf(server);
  const dialled: number[] = [];
  const posts = new OneWayPosts({
    url: new URL(`https://127.0.0.1:${port}/hook?a=1`),
    dial: async (name, to) => {
      dialled.push(to);
      return connect(to, name);
    },
    tls: { mode: "pinned", spkiSha256: pin, now: Date.now },
    totalMs,
    connections: 2,
  });
  t.after(async () => {
    await posts.close();
    server.closeAllConnections();
    server.close();
  });
  const post = async (): Promise<number | string> => {
    try {
      return await posts.post({ "webhook-id": "one" }, '{"a":1}');
    } catch (thrown) {
      assert.ok(thrown instanceof CmcpError, String(thrown));
      return thrown.code;
    }
  };
  return { received, dialled, posts, post };
}

void describe("messages that nobody waits for the answer of", () => {
  void it("reach a receiver with the pinned key, and its status comes back", async (t) => {
    const { post, received } = await receiver(t, (response) => response.writeHead(204).end());
    assert.equal(await post(), 204);
    assert.deepEqual(received, [{ method: "POST", url: "/hook?a=1", id: "one", body: '{"a":1}' }]);
  });

  void it("go to nobody else: another key, a certificate for another host", async (t) => {
    for (const options of [{ pin: testKey().pin }, { host: "elsewhere.example" }]) {
      const { post, received } = await receiver(t, (response) => response.end(), options);
      assert.equal(await post(), "UPSTREAM_IDENTITY_MISMATCH");
      assert.deepEqual(received, []);
    }
  });

  void it("follow no redirect: the status is all that is read of it", async (t) => {
    let reached = 0;
    const other = createServer((_, response) => {
      reached += 1;
      response.end();
    });
    const elsewhere = await portOf(other);
    t.after(() => void other.close());
    const { post, dialled } = await receiver(t, (response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${elsewhere}/` }).end(),
    );
    assert.equal(await post(), 307);
    assert.deepEqual([reached, dialled.includes(elsewhere)], [0, false]);
  });

  void it("read no body: one without end, and one that says to be larger than memory", async (t) => {
    const endless = await receiver(t, (response) => {
      response.writeHead(200);
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(65_536), more);
      };
      more();
    });
    assert.equal(await endless.post(), 200);
    const large = await receiver(t, (response) => {
      response.writeHead(500, { "content-length": String(2 ** 40) }).write("x");
    });
    assert.equal(await large.post(), 500);
  });

  void it("end in time where the receiver says nothing, and where it takes no connection", async (t) => {
    const { post, received } = await receiver(t, () => undefined, { totalMs: 300 });
    assert.equal(await post(), "UPSTREAM_TIMEOUT");
    assert.equal(received.length, 1);
    const silent = createTcp(() => undefined);
    const port = await portOf(silent);
    t.after(() => void silent.close());
    const posts = new OneWayPosts({
      url: new URL(`https://127.0.0.1:${port}/`),
      dial: async (name, to) => connect(to, name),
      tls: { mode: "pinned", spkiSha256: key.pin, now: Date.now },
      totalMs: 300,
      connections: 1,
    });
    t.after(async () => await posts.close());
    await assert.rejects(posts.post({}, ""), { code: "UPSTREAM_TIMEOUT" });
  });

  void it("end when they are closed, whatever the receiver does", async (t) => {
    const { post, posts, received } = await receiver(t, () => void posts.close());
    assert.equal(await post(), "REQUEST_CANCELLED");
    assert.equal(received.length, 1);
  });

  void it("are refused over http with a pin, and over https without one", () => {
    const rest = { dial: async () => connect(1), totalMs: 1_000, connections: 1 };
    const pinned = { mode: "pinned", spkiSha256: key.pin, now: Date.now } as const;
    const invalid = { code: "CATALOG_INVALID" };
    assert.throws(() => new OneWayPosts({ url: new URL("http://127.0.0.1/"), tls: pinned, ...rest }), invalid);
    assert.throws(
      () => new OneWayPosts({ url: new URL("https://127.0.0.1/"), tls: { mode: "none" }, ...rest }),
      invalid,
    );
  });
});
