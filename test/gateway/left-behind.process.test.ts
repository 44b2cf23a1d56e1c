/** A gateway that a test leaves behind ends with the test's process, and does not keep it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { ALLOW_ALL, deploy } from "./deployment.ts";
import { eventually, newToken } from "./principals.ts";

const GATEWAY = JSON.stringify(new URL("./gateway.ts", import.meta.url).href);

/** A process that starts a gateway, says who its processes are, and then does `rest`. */
async function leaving(t: TestContext, rest: string) {
  const config = await deploy(join(temporaryDirectory(t), "deployment"), {
    tools: [{ name: "none", url: "http://127.0.0.1:1/mcp" }],
    policies: ALLOW_ALL,
  });
  const source = `
    const { startGateway, developmentEnvironment } = await import(${GATEWAY});
    const gateway = await startGateway(${JSON.stringify(config)}, developmentEnvironment(${JSON.stringify(newToken())}));
    console.log(JSON.stringify([gateway.pid, gateway.enclave_pid]));
    ${rest}`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { child, exited, pids: JSON.parse(line) as number[] };
}

/** Whether a process runs; one that has ended and that nobody has asked for does not. */
function runs(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const gone = async (pids: readonly number[]): Promise<void> =>
  await eventually("host and enclave have ended", () => pids.every((pid) => !runs(pid)));

test("a gateway ends when the test's process is killed", async (t) => {
  const { child, exited, pids } = await leaving(t, "await new Promise((resolve) => setTimeout(resolve, 600_000));");
  assert.ok(pids.length === 2 && pids.every(runs));
  child.kill("SIGKILL");
  await exited;
  await gone(pids);
});

test("a process that has nothing else to do ends, and the gateway with it", async (t) => {
  const { exited, pids } = await leaving(t, "");
  assert.deepEqual(await exited, [0, null]);
  await gone(pids);
});

test("whoever waits for the end of a gateway keeps the process", async (t) => {
  const { exited, pids } = await leaving(
    t,
    'process.kill(gateway.pid, "SIGINT"); process.exitCode = 7 + (await gateway.exited);',
  );
  assert.deepEqual(await exited, [7, null]);
  await gone(pids);
});
