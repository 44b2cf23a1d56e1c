/** A gateway outlives its log, which agents can make it write to at any time; a command that cannot say its result fails in one line. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { CLI, developmentEnvironment, startGateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken } from "../gateway/principals.ts";

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-lost-output-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A pipe that nobody reads any more. */
function brokenPipe(folder: string): number {
  const path = join(folder, "fifo");
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDWR);
  const writer = openSync(path, constants.O_WRONLY);
  closeSync(reader);
  return writer;
}

/** A pipe whose reader stays and does not read, full already. */
function unreadPipe(folder: string): number {
  const path = join(folder, "fifo");
  execFileSync("mkfifo", [path]);
  const end = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  for (const size of [4096, 1]) {
    try {
      for (;;) writeSync(end, Buffer.alloc(size));
    } catch (thrown) {
      assert.equal((thrown as NodeJS.ErrnoException).code, "EAGAIN");
    }
  }
  return end;
}

const fullDisk = (): number => openSync("/dev/full", "w");

for (const [what, open] of [
  ["whose reader is gone", brokenPipe],
  ["whose reader does not read", unreadPipe],
  ["on a full disk", fullDisk],
] as const) {
  test(`a gateway with a log ${what} starts, serves an agent that makes it log, and stops in order`, {
    timeout: 60_000 * PATIENCE,
  }, async (t) => {
    const folder = await temporary(t);
    const token = newToken();
    const stderr = open(folder);
    t.after(() => closeSync(stderr));
    const gateway = await startGateway(
      await deploy(folder, { tools: [{ name: "down", url: "http://127.0.0.1:1/mcp" }], policies: ALLOW_ALL }),
      developmentEnvironment(token),
      { stderr },
    );
    t.after(() => gateway.kill());
    const client = clientOf(gateway, token);
    for (let n = 0; n < 3; n += 1)
      assert.equal((await client.call("down", "a")).body.error?.data?.error_code, "UPSTREAM_UNAVAILABLE");
    assert.equal(await gateway.stop(), 0);
  });
}

/** How a command ends whose standard output is a full disk. */
async function unwritten(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; stderr: string }> {
  const out = fullDisk();
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CLI, ...args], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", out, "pipe"],
    timeout: 30_000 * PATIENCE,
    killSignal: "SIGKILL",
  });
  closeSync(out);
  assert.ok(child.stderr !== null);
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "exit") as Promise<[number | null]>]);
  return { code, stderr };
}

test("a command whose result cannot be written says so in one line and ends with 1", async () => {
  for (const args of [
    ["token", "new", "alice"],
    ["token", "new", "alice", "--json"],
    ["--help"],
    ["no-such-command", "--json"],
  ]) {
    assert.deepEqual(
      await unwritten(args),
      { code: 1, stderr: "cmcp: standard output cannot be written (ENOSPC)\n" },
      args.join(" "),
    );
  }
});

test("a gateway that cannot say that it is ready stops in order and ends with 1", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const folder = await temporary(t);
  const { code, stderr } = await unwritten(
    ["start", "--config", await deploy(folder, { tools: [], policies: ALLOW_ALL })],
    developmentEnvironment(newToken()),
  );
  assert.equal(code, 1);
  assert.match(stderr, /^cmcp: standard output cannot be written \(ENOSPC\)$/m);
  assert.doesNotMatch(stderr, /did not drain|at .+:\d+/);
});
