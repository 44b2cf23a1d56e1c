import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { examine } from "@cmcp/boundary";
import { ExchangePool, listenAt, serveStream, unixDialer } from "@cmcp/wire";

const folder = await mkdtemp(join(tmpdir(), "cmcp-example-"));
const path = join(folder, "socket");
const listener = await listenAt(path, "no addon is needed", (stream) =>
  serveStream(stream, async (incoming) => {
    await incoming.respond({ status: 200, headers: {} });
    for await (const chunk of incoming.body) await incoming.write(examine(chunk));
    await incoming.end();
  }),
);
const pool = new ExchangePool(unixDialer(path), { maxStreams: 1 });
const exchange = await pool.open({ t: "launch" });
await exchange.write(Buffer.from("document"));
await exchange.end();
assert.equal((await exchange.head).status, 200);
let body = "";
for await (const chunk of exchange.body) body += Buffer.from(examine(chunk)).toString();
assert.equal(body, "document");
await pool.close();
await listener.close();
await rm(folder, { recursive: true });
