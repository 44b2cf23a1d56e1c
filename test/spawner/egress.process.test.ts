/** The way out of a server that has one: the enclave's connections, and nothing else of a network. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import type { StdioChannel } from "@cmcp/spawner";
import { RUNNERS, hostileTree, open, serverOf, type Cleanup, type RunBy } from "./fixture.ts";
import { Lines } from "./lines.ts";

const REFUSED: Readonly<Record<string, string>> = {
  UDP: "EPERM",
  "UDP without blocking": "EPERM",
  raw: "EPERM",
  MPTCP: "EPERM",
  SCTP: "EPERM",
  IPv6: "EAFNOSUPPORT",
  Unix: "EAFNOSUPPORT",
  netlink: "EAFNOSUPPORT",
  packets: "EAFNOSUPPORT",
  vsock: "EAFNOSUPPORT",
  bind: "ENOSYS",
  listen: "ENOSYS",
  accept: "ENOSYS",
  "options of IP": "ENOPROTOOPT",
  "another protocol above": "ENOPROTOOPT",
  "larger buffer": "ENOPROTOOPT",
  "another port": "ECONNREFUSED",
  "another address": "ENETUNREACH",
};

interface Running {
  readonly channel: StdioChannel;
  readonly lines: Lines;
  readonly socket: string;
  readonly tell: (line: string) => Promise<void>;
  readonly dial: () => Promise<Socket>;
}

async function start(t: Cleanup, by: RunBy, openFiles = 256): Promise<Running> {
  const { tree, program } = await hostileTree(t, "egress");
  const bounds = { tasks: 64, memoryMib: 64, scratchMib: 1, openFiles, cpuSeconds: 60 };
  const server = serverOf(tree, program, [], { hasEgress: true, bounds });
  const { spawner, listening } = await open(t, by, [server, { ...server, hasEgress: false }]);
  const channel = await spawner.start(0);
  const lines = new Lines(channel);
  await lines.until((line) => line === "tried\tall");
  const { egress } = channel;
  assert.ok(egress !== null);
  return {
    channel,
    lines,
    socket: listening.socket,
    tell: async (line) => await channel.send(Buffer.from(line), new AbortController().signal),
    dial: egress,
  };
}

/** What comes over a connection of the enclave's, up to the end of what the server sends. */
async function received(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => parts.push(chunk));
  await once(socket, "end");
  return Buffer.concat(parts).toString();
}

for (const { by, skip } of RUNNERS) {
  test(`the proxy on loopback is all that a server with a way out reaches (spawner of ${by})`, { skip }, async (t) => {
    const { lines, tell, dial } = await start(t, by);
    const said = Object.fromEntries(lines.all.map((line) => line.split("\t") as [string, string]));
    assert.deepEqual(said, { ...REFUSED, stream: "worked", "no delay": "worked", tried: "all" });
    const connection = await dial();
    await tell("hello");
    assert.equal(await received(connection), "hello");
    connection.end("and back");
    assert.equal(await lines.until((line) => line.startsWith("proxy")), "proxy\tand back");
  });

  test(`a server without a way out has no socket at all (spawner of ${by})`, { skip }, async (t) => {
    const { tree, program } = await hostileTree(t, "egress");
    const { spawner } = await open(t, by, [serverOf(tree, program)]);
    const channel = await spawner.start(0);
    assert.equal(channel.egress, null);
    const lines = new Lines(channel);
    await lines.until((line) => line === "tried\tall");
    assert.ok(lines.all.includes("stream\tEPERM") && lines.all.includes("IPv6\tEPERM"), lines.all.join());
    assert.ok(lines.all.includes("another port\tEPERM"), lines.all.join());
  });

  test(`another name finds no way out, whoever guesses it (spawner of ${by})`, { skip }, async (t) => {
    const { socket, tell, dial } = await start(t, by);
    for (const request of [Buffer.concat([Buffer.from("E"), Buffer.alloc(16)]), Buffer.from("Eshort")]) {
      const guess = connect(socket);
      await once(guess, "connect");
      guess.end(request);
      const [answer] = (await once(guess, "data")) as [Buffer];
      assert.ok(answer[0] === 1 || answer[0] === 7, `status ${answer[0]}`);
      guess.destroy();
    }
    const connection = await dial();
    await tell("only here");
    assert.equal(await received(connection), "only here");
    connection.destroy();
  });

  test(`a thousand connections cost a server its own way out alone (spawner of ${by})`, { skip }, async (t) => {
    const { lines, tell, dial, channel } = await start(t, by, 64);
    const waiting = await Promise.all([dial(), dial()]);
    await tell("many");
    await lines.until((line) => line.startsWith("many"));
    for (const connection of waiting) connection.destroy();
    await channel.close();
    const late = await dial().catch(() => null);
    if (late !== null) assert.equal(await received(late), "", "the spawner had not seen its end yet");
  });

  test(`a server that kills its forwarder ends (spawner of ${by})`, { skip }, async (t) => {
    const { channel, tell } = await start(t, by);
    await tell("kill");
    assert.equal((await channel.closed).code, "UPSTREAM_UNAVAILABLE");
  });

  test(`connections beyond those that may wait are closed (spawner of ${by})`, { skip }, async (t) => {
    const { dial } = await start(t, by);
    const connections: Socket[] = [];
    for (let i = 0; i < 5; i += 1) connections.push(await dial());
    const last = connections.at(-1);
    assert.ok(last !== undefined);
    last.resume();
    await once(last, "end");
    for (const connection of connections) connection.destroy();
  });
}
