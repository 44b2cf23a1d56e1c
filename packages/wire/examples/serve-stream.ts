import assert from "node:assert/strict";
import { examine } from "@cmcp/boundary";
import { duplexPair } from "node:stream";
import { ExchangePool, serveStream } from "@cmcp/wire";

// Any ordered byte stream will do.
const [near, far] = duplexPair();
serveStream(far, async (exchange) => {
  await exchange.respond({ status: 200, headers: {} });
  for await (const chunk of exchange.body) await exchange.write(examine(chunk));
  await exchange.end();
});
const pool = new ExchangePool({ address: "a pair of streams", dial: async () => near }, { maxStreams: 1 });
const exchange = await pool.open({ t: "drain" });
await exchange.end();
assert.equal((await exchange.head).status, 200);
await pool.close();
