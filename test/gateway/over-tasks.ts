import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { SLOW_TOOL, startTasksServer } from "../servers/tasks-server.ts";
import { ALLOW_ALL, deploy } from "./deployment.ts";
import { developmentEnvironment, type Gateway } from "./gateway.ts";
import { startInProcess } from "./in-process.ts";
import { newToken } from "./principals.ts";

/** A gateway in this process in front of a server with tasks, for a test that stops it. Server and folder go with the test. */
export async function startOverTasks(
  t: TestContext,
): Promise<{ readonly gateway: Gateway; readonly token: string; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-stopping-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const server = await startTasksServer();
  t.after(() => server.close());
  const token = newToken();
  const config = await deploy(folder, { tools: [{ ...SLOW_TOOL, url: server.url }], policies: ALLOW_ALL });
  return { gateway: await startInProcess(config, developmentEnvironment(token)), token, folder };
}
