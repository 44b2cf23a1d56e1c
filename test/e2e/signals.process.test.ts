/** What signals do to a gateway, from whomever and however often they come: a stop is in order, and every open session gets its claim. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { SqliteStore } from "@cmcp/host-proxy";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, ROOT, deploy } from "../gateway/deployment.ts";
import { CLI, developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken } from "../gateway/principals.ts";
import { recordsIn } from "../hostile/stored-records.ts";
import { SLOW_TOOL, startTasksServer } from "../servers/tasks-server.ts";

/** What `npx cmcp` and a package's `bin` run: it starts the command line and waits for it. */
const LAUNCHER = join(ROOT, "packages/cli/bin/cmcp.js");
const SESSIONS = 3;

interface Serving {
  readonly gateway: Gateway;
  /** How many claims the store has, once the gateway has ended. */
  readonly claims: () => Promise<number>;
}

/** A gateway with open sessions. */
async function serving(t: TestContext, entry: string): Promise<Serving> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-signals-"));
  const server = await startTasksServer();
  const token = newToken();
  const gateway = await startGateway(
    await deploy(folder, { tools: [{ ...SLOW_TOOL, url: server.url }], policies: ALLOW_ALL }),
    developmentEnvironment(token),
    { entry },
  );
  t.after(async () => {
    if (isAlive(gateway.pid)) process.kill(gateway.pid, "SIGKILL");
    await gateway.kill();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const client = clientOf(gateway, token);
  for (let n = 0; n < SESSIONS; n += 1) assert.equal((await client.call(SLOW_TOOL.name, `session-${n}`)).status, 200);
  return {
    gateway,
    claims: async () => {
      const store = new SqliteStore(join(folder, "audit.db"), { durable: false });
      const found = (await recordsIn(store, { kind: "claim" })).length;
      await store.close();
      return found;
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Sends signals to a process, in turn, for as long as it lives. */
function keepSending(pid: number, names: readonly NodeJS.Signals[]): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (!isAlive(pid)) return clearInterval(timer);
    process.kill(pid, names[sent % names.length]);
    sent += 1;
  }, 2);
}

test("however many signals to stop come while it stops, it stops in order", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const { gateway, claims } = await serving(t, CLI);
  keepSending(gateway.pid, ["SIGINT", "SIGTERM"]);
  assert.equal(await gateway.stop(), 0);
  assert.equal(await claims(), SESSIONS);
});

test("a terminal's interrupt, which reaches the launching script and what it started, stops in order", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const { gateway, claims } = await serving(t, LAUNCHER);
  process.kill(gateway.pid, "SIGINT");
  assert.equal(await gateway.stop(), 0);
  assert.equal(await claims(), SESSIONS);
});

test("a service manager's signal to every process, the enclave's too, stops in order", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const { gateway, claims } = await serving(t, LAUNCHER);
  for (const pid of [gateway.enclave_pid, gateway.pid]) process.kill(pid, "SIGTERM");
  assert.equal(await gateway.stop(), 0);
  assert.equal(await claims(), SESSIONS);
  assert.doesNotMatch(gateway.log(), /did not drain|enclave ended/);
});

test("a hangup of a gateway with nothing to read again, while it starts or later, says so and changes nothing", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-signals-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = await deploy(folder, { tools: [], policies: ALLOW_ALL });
  const child = spawn(process.execPath, [LAUNCHER, "start", "--config", config], {
    env: { PATH: process.env["PATH"], ...developmentEnvironment(newToken()) },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  // Both, should the script have left the gateway behind.
  const group = -(child.pid ?? 0);
  t.after(() => isAlive(group) && process.kill(group, "SIGKILL"));
  const exited = once(child, "exit");
  const printed = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (printed.err += text));
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      assert.equal(child.exitCode ?? child.signalCode, null, printed.err);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const refusals = (): number => printed.err.match(/^nothing to read again/gm)?.length ?? 0;
  // Its first words are warnings, before anything is started.
  await until(() => printed.err !== "");
  assert.equal(printed.out, "");
  child.kill("SIGHUP");
  await until(() => refusals() === 1 && printed.out !== "");
  process.kill(Number(/^ {2}process id: +(\d+)$/m.exec(printed.out)?.[1]), "SIGHUP");
  await until(() => refusals() === 2);
  child.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
});

test("a gateway that is killed leaves no process behind", { timeout: 60_000 * PATIENCE }, async (t) => {
  const { gateway } = await serving(t, CLI);
  await gateway.kill();
  while (isAlive(gateway.enclave_pid)) await new Promise((resolve) => setTimeout(resolve, 10));
});
