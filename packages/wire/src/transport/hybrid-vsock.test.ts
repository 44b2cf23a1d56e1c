import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
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

test("a dial that was cancelled before it began reaches nobody", async (t) => {
  const lines: string[] = [];
  const path = await vmm(t, (_, line) => lines.push(line));
  await assert.rejects(hybridVsockDialer(path, 5000).dial(AbortSignal.abort()), { code: "REQUEST_CANCELLED" });
  await assert.rejects(hybridVsockDialer(`${path}-none`, 5000).dial(AbortSignal.abort()), {
    code: "REQUEST_CANCELLED",
  });
  await setImmediate();
  assert.deepEqual(lines, []);
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
  for (const answer of [
    "ERR\n",
    "OK\n",
    "OK x\n",
    "ok 5\n",
    "OK 12345678901\n",
    "OK 5",
    `OK ${"5".repeat(64)}`,
    "\n",
  ]) {
    const path = await vmm(t, (socket) => socket.end(answer));
    await assert.rejects(hybridVsockDialer(path, 1).dial(never), { code: "WIRE_UNREACHABLE" }, JSON.stringify(answer));
  }
});

test("a guest that refuses, nobody there, and an aborted signal each reject", async (t) => {
  const path = await vmm(t, (socket) => socket.destroy());
  await assert.rejects(hybridVsockDialer(path, 1).dial(never), { code: "WIRE_UNREACHABLE" });
  await assert.rejects(hybridVsockDialer(await socketPath(t), 1).dial(never), { code: "WIRE_UNREACHABLE" });
  await assert.rejects(hybridVsockDialer(path, 1).dial(AbortSignal.abort()), { code: "REQUEST_CANCELLED" });
});

test("a dial that is given up rejects at once, and closes its socket only when it is answered", async (t) => {
  const [asked, closed] = [Promise.withResolvers<Socket>(), Promise.withResolvers<void>()];
  let isClosed = false;
  const path = await vmm(t, (socket) => {
    asked.resolve(socket);
    socket.once("close", () => {
      isClosed = true;
      closed.resolve();
    });
    socket.resume();
  });
  const cancel = new AbortController();
  const dialling = hybridVsockDialer(path, 1).dial(cancel.signal);
  const socket = await asked.promise;
  cancel.abort();
  await assert.rejects(dialling, { code: "REQUEST_CANCELLED" });
  // A socket that was closed would be seen to be by now.
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
  assert.equal(isClosed, false);
  socket.write("OK 1\n");
  await closed.promise;
});

test("a dial that is given up before the socket is connected says what it wants all the same", async (t) => {
  const lines: string[] = [];
  const path = await vmm(t, (socket, line) => {
    lines.push(line);
    socket.end("OK 1\n");
  });
  const cancel = new AbortController();
  const dialler = hybridVsockDialer(path, 1);
  const dialling = dialler.dial(cancel.signal);
  cancel.abort();
  await assert.rejects(dialling, { code: "REQUEST_CANCELLED" });
  (await dialler.dial(never)).destroy();
  assert.deepEqual(lines, ["CONNECT 1\n", "CONNECT 1\n"]);
});

test("of dials that were given up, 256 may be unanswered; what is answered makes room again", async (t) => {
  const silent: Socket[] = [];
  let answers = false;
  const path = await vmm(t, (socket) => {
    if (answers) socket.write("OK 1\n");
    else silent.push(socket);
  });
  const dialler = hybridVsockDialer(path, 1);
  const giveUp = new AbortController();
  const dialling = Array.from({ length: 256 }, () => dialler.dial(giveUp.signal));
  while (silent.length < 256) await setImmediate();
  giveUp.abort();
  for (const dial of dialling) await assert.rejects(dial, { code: "REQUEST_CANCELLED" });
  await assert.rejects(dialler.dial(never), { code: "WIRE_UNREACHABLE", message: /256 dials that were given up/ });
  answers = true;
  const [one] = silent;
  assert.ok(one);
  const freed = once(one, "close");
  one.resume().write("OK 1\n");
  await freed;
  (await dialler.dial(never)).destroy();
});

test("the guest's own connections arrive beside it", () => {
  assert.equal(hybridVsockSocket("/run/vm/vsock", 6000), "/run/vm/vsock_6000");
});
