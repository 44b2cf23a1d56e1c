import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { OutgoingExchange } from "@cmcp/wire";
import { sendBody } from "./upload.ts";

/** What an exchange is given, in order. */
function recording(): { readonly given: string[]; readonly exchange: OutgoingExchange } {
  const given: string[] = [];
  const exchange = {
    write: (chunk: Uint8Array) => {
      given.push(Buffer.from(chunk).toString());
      return Promise.resolve();
    },
    end: () => {
      given.push("end");
      return Promise.resolve();
    },
  };
  return { given, exchange: exchange as unknown as OutgoingExchange };
}

test("a body that came with its head is written at once, so that it leaves with the opening; what comes later follows", async (t) => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nfirst");
  const [incoming] = (await once(server, "request")) as [IncomingMessage];
  await turn();
  const { given, exchange } = recording();
  const sent = sendBody(incoming, exchange, 100);
  assert.deepEqual(given, ["first"]);
  socket.write("later");
  await sent;
  assert.deepEqual(given, ["first", "later", "end"]);
});
