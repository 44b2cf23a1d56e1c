import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { socketPath } from "../testing/sockets.ts";
import { hybridVsockDialer, hybridVsockSocket } from "./hybrid-vsock.ts";

const never = new AbortController().signal;

/** A VMM's socket, driven by hand: `serve` gets each connection with the line that was said on it. */
async function vmm(t: TestContext, serve: (socket: Socket, line: string) => void): Promise<string> {
  const path = await socketPath(t);
  const server = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.once("data", (chunk) => serve(socket, chunk.toString()));
  });
  server.listen({ path });
  await once(server, "listening");
  t.after(() => server.close());
  return path;
}

test("the port is asked for, and what follows the answer belongs to the connection", async (t) => {
  const lines: string[] = [];
  const path = await vmm(t, (socket, line) => {
    lines.push(line);
    socket.write("OK 1073741824\nfirst");
    socket.on("data", (chunk) => socket.write(chunk));
  });
  const stream = await hybridVsockDialer(path, 5000).dial(never);
  assert.deepEqual(lines, ["CONNECT 5000\n"]);
  assert.equal(String((await once(stream, "data"))[0]), "first");
  stream.write("echo");
  assert.equal(String((await once(stream, "data"))[0]), "echo");
  stream.destroy();
});

test("the answer may come in pieces of any size", async (t) => {
  const answer = "OK 7\nrest";
  for (let cut = 1; cut < answer.length; cut += 1) {
    const path = await vmm(t, (socket) => {
      socket.write(answer.slice(0, cut));
      setTimeout(() => socket.write(answer.slice(cut)), 5);
    });
    const stream = await hybridVsockDialer(path, 1).dial(never);
    let text = "";
    for await (const chunk of stream) {
      text += String(chunk);
      if (text.length >= 4) break;
    }
    assert.equal(text, "rest");
  }
});

test("an answer of any other form rejects", async (t) => {
  for (const answer of ["ERR\n", "OK\n", "OK x\n", "ok 5\n", "OK 12345678901\n", "OK 5", `OK ${"5".repeat(64)}`, "\n"]) {
    const path = await vmm(t, (socket) => socket.end(answer));
    await assert.rejects(hybridVsockDialer(path, 1).dial(never), { code: "WIRE_UNREACHABLE" }, JSON.stringify(answer));
  }
});

test("a guest that refuses, nobody there, and giving up each reject", async (t) => {
  const path = await vmm(t, (socket) => socket.destroy());
  await assert.rejects(hybridVsockDialer(path, 1).dial(never), { code: "WIRE_UNREACHABLE" });
  await assert.rejects(hybridVsockDialer(await socketPath(t), 1).dial(never), { code: "WIRE_UNREACHABLE" });
  const closed = Promise.withResolvers<void>();
  const silent = await vmm(t, (socket) => socket.once("close", () => closed.resolve()));
  const cancel = new AbortController();
  const dialling = hybridVsockDialer(silent, 1).dial(cancel.signal);
  setTimeout(() => cancel.abort(), 20);
  await assert.rejects(dialling, { code: "REQUEST_CANCELLED" });
  await closed.promise;
});

test("the guest's own connections arrive beside it", () => {
  assert.equal(hybridVsockSocket("/run/vm/vsock", 6000), "/run/vm/vsock_6000");
});
