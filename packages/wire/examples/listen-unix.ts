import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listenUnix, unixDialer } from "@cmcp/wire";

const folder = await mkdtemp(join(tmpdir(), "cmcp-example-"));
const path = join(folder, "socket");
const listener = await listenUnix(path, (stream) => stream.end("hello"));
const stream = await unixDialer(path).dial(AbortSignal.timeout(5_000));
const [bytes] = (await once(stream, "data")) as [Buffer];
assert.equal(bytes.toString(), "hello");
stream.destroy();
await listener.close();
await rm(folder, { recursive: true });
