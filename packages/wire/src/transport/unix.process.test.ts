import assert from "node:assert/strict";
import { once } from "node:events";
import { stat, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { spawn } from "node:child_process";
import { socketPath } from "../testing/sockets.ts";
import { listenUnix, unixDialer } from "./unix.ts";

const never = new AbortController().signal;

test("only this user may connect", async (t) => {
  const path = await socketPath(t);
  const listener = await listenUnix(path, () => undefined);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await listener.close();
});

test("closing the listener ends its streams and frees the path", async (t) => {
  const path = await socketPath(t);
  const listener = await listenUnix(path, () => undefined);
  const stream = await unixDialer(path).dial(never);
  stream.resume();
  const closed = once(stream, "close");
  await listener.close();
  await closed;
  const again = await listenUnix(path, () => undefined);
  await again.close();
});

test("dialling nothing, or with an aborted signal, rejects", async (t) => {
  const path = await socketPath(t);
  await assert.rejects(unixDialer(path).dial(never), { code: "WIRE_UNREACHABLE" });
  await assert.rejects(unixDialer(path).dial(AbortSignal.abort()), { code: "REQUEST_CANCELLED" });
});

test("aborting while dialling rejects", async (t) => {
  const path = await socketPath(t);
  const listener = await listenUnix(path, (stream) => stream.on("error", () => undefined));
  const cancel = new AbortController();
  const dialling = unixDialer(path).dial(cancel.signal);
  cancel.abort();
  await assert.rejects(dialling, { code: "REQUEST_CANCELLED" });
  await listener.close();
});

test("a connection beyond the bound is closed unserved", async (t) => {
  const path = await socketPath(t);
  let served = 0;
  const listener = await listenUnix(
    path,
    () => {
      served += 1;
    },
    { maxStreams: 1 },
  );
  const first = await unixDialer(path).dial(never);
  const second = await unixDialer(path).dial(never);
  await once(second.resume(), "close");
  assert.equal(served, 1);
  assert.equal(first.destroyed, false);
  await listener.close();
});

test("a path that is taken is not taken over", async (t) => {
  const path = await socketPath(t);
  await writeFile(path, "a file");
  await assert.rejects(
    listenUnix(path, () => undefined),
    { code: "WIRE_UNREACHABLE" },
  );
  const other = await socketPath(t);
  const listener = await listenUnix(other, () => undefined);
  await assert.rejects(
    listenUnix(other, () => undefined),
    { code: "WIRE_UNREACHABLE" },
  );
  await listener.close();
});

test("a socket left by a process that was killed is replaced", async (t) => {
  const path = await socketPath(t);
  const child = spawn(
    process.execPath,
    ["-e", `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.ok((await stat(path)).isSocket());
  const listener = await listenUnix(path, () => undefined);
  await listener.close();
});
