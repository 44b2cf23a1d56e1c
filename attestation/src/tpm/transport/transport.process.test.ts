import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openTpmDevice } from "./device.ts";
import { connectTpmSocket } from "./socket.ts";

const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };
const folder = mkdtempSync(join(tmpdir(), "cmcp-transport-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const COMMAND = Uint8Array.from([0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8]);
const response = (size: number, declared = size): Buffer => {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt16BE(0x8001);
  bytes.writeUInt32BE(declared, 2);
  return bytes;
};

let servers = 0;

/** A socket that answers each command as the test says. */
async function serve(answer: (command: Buffer, socket: Socket) => void): Promise<{ path: string; server: Server }> {
  servers += 1;
  const path = join(folder, `s${servers}`);
  const server = createServer((socket) => {
    socket.on("data", (command) => answer(command, socket));
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  server.unref();
  return { path, server };
}

test("a response arrives whole however the socket cuts it", async () => {
  const { path, server } = await serve((command, socket) => {
    assert.deepEqual(new Uint8Array(command), COMMAND);
    const bytes = response(20);
    socket.write(bytes.subarray(0, 3));
    setImmediate(() => {
      socket.write(bytes.subarray(3, 15));
      setImmediate(() => socket.write(bytes.subarray(15)));
    });
  });
  const transport = await connectTpmSocket(path);
  for (let turn = 0; turn < 2; turn += 1)
    assert.deepEqual(Buffer.from(await transport.transmit(COMMAND)), response(20));
  await transport.close();
  await assert.rejects(transport.transmit(COMMAND), UNAVAILABLE);
  server.close();
});

test("responses of impossible size, silence, an early end and words out of turn close the socket", async () => {
  const answers: readonly (readonly [(command: Buffer, socket: Socket) => void, RegExp])[] = [
    [(_command, socket) => socket.write(response(20, 9)), /impossible size/],
    [(_command, socket) => socket.write(response(20, 4097)), /impossible size/],
    [(_command, socket) => socket.write(Buffer.concat([response(20), Buffer.from([0])])), /impossible size/],
    [(_command, socket) => socket.end(response(20).subarray(0, 12)), /closed/],
    [() => undefined, /200 ms/],
  ];
  for (const [answer, message] of answers) {
    const { path, server } = await serve(answer);
    const transport = await connectTpmSocket(path, 200);
    await assert.rejects(transport.transmit(COMMAND), { ...UNAVAILABLE, message });
    await assert.rejects(transport.transmit(COMMAND), { ...UNAVAILABLE, message });
    server.close();
  }
  let served: Socket | undefined;
  const { path, server } = await serve((_command, socket) => {
    served = socket;
    socket.write(response(12));
  });
  const transport = await connectTpmSocket(path);
  await transport.transmit(COMMAND);
  const closed = new Promise((resolve) => served?.once("close", resolve));
  served?.write(response(12));
  await closed;
  await assert.rejects(transport.transmit(COMMAND), { ...UNAVAILABLE, message: /without being asked/ });
  server.close();
});

test("commands and responses of 10 to 4096 bytes are exchanged", async () => {
  const { path, server } = await serve((command, socket) => socket.write(response(command.length)));
  const transport = await connectTpmSocket(path);
  for (const length of [10, 4096]) assert.equal((await transport.transmit(new Uint8Array(length))).length, length);
  await transport.close();
  server.close();
});

test("a second command while one is under way is refused", async () => {
  const { path, server } = await serve(() => undefined);
  const transport = await connectTpmSocket(path, 100);
  const first = assert.rejects(transport.transmit(COMMAND), UNAVAILABLE);
  await assert.rejects(transport.transmit(COMMAND), { ...UNAVAILABLE, message: /busy/ });
  await first;
  server.close();
});

test("a command no TPM takes is not sent, and a TPM that is not there is said", async () => {
  const { path, server } = await serve(() => assert.fail("nothing is sent"));
  const transport = await connectTpmSocket(path);
  for (const length of [0, 9, 4097]) await assert.rejects(transport.transmit(new Uint8Array(length)), UNAVAILABLE);
  await transport.close();
  server.close();
  await assert.rejects(connectTpmSocket(join(folder, "absent")), UNAVAILABLE);
  await assert.rejects(openTpmDevice(join(folder, "absent")), UNAVAILABLE);
});

test("a device takes one write and gives one read; one that is silent is given up", async (t) => {
  const path = join(folder, "device");
  if (spawnSync("mkfifo", [path]).status !== 0) return t.skip("no pipe can be made here");
  // A pipe gives back what was written to it: enough of a device to see both system calls.
  const device = await openTpmDevice(path, 200);
  assert.deepEqual(await device.transmit(COMMAND), COMMAND);
  const thief = await open(path, "r+");
  const stolen = thief.read(new Uint8Array(100), 0, 100, null);
  // Whoever reads second could still be served first, so the device reads once the pipe is empty.
  const files = Object.getPrototypeOf(thief) as FileHandle;
  const read = Reflect.get(files, "read") as (...args: unknown[]) => Promise<unknown>;
  t.mock.method(files, "read", async function (this: FileHandle, ...args: unknown[]) {
    await stolen;
    return await read.apply(this, args);
  });
  await assert.rejects(device.transmit(COMMAND), { ...UNAVAILABLE, message: /200 ms/ });
  await assert.rejects(device.transmit(COMMAND), { ...UNAVAILABLE, message: /closed/ });
  assert.equal((await stolen).bytesRead, COMMAND.length);
  // Lets the read that is still under way end.
  await thief.write(COMMAND);
  await thief.close();
});
