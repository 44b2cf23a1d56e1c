import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hybridVsockDialer } from "@cmcp/wire";

const folder = await mkdtemp(join(tmpdir(), "cmcp-example-"));
const path = join(folder, "socket");
// Stands for the daemon of a virtual machine.
const daemon = createServer((socket) => socket.once("data", () => socket.write("OK 5000\n"))).listen(path);
await once(daemon, "listening");
const stream = await hybridVsockDialer(path, 5000).dial(AbortSignal.timeout(5_000));
assert.ok(stream.writable);
stream.destroy();
daemon.close();
await rm(folder, { recursive: true });
