import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { CLI, developmentEnvironment } from "../../gateway/gateway.ts";
import type { Measured } from "../load/job.ts";
import { CONNECTIONS } from "../plan.ts";
import { Child } from "../processes/child.ts";
import { askProbe } from "../processes/probe-client.ts";
import { SourceMap, topCosts, type CpuProfile } from "../report/self-time.ts";
import { order } from "./order.ts";
import type { Setup } from "./setup.ts";

const WARM_MS = 5_000;
const PROFILED_MS = 4_000;

/** Profiles enclave and host under both loads and prints the functions with the most time of their own. */
export async function profile(setup: Setup, generator: Child, output: Writable): Promise<void> {
  const token = randomBytes(32).toString("base64url");
  const folder = dirname(setup.config);
  const sockets = { enclave: join(folder, "enclave.probe"), host: join(folder, "host.probe") };
  const host = Child.start("./instrumented-host.ts", { config: setup.config, socket: sockets.enclave, hostSocket: sockets.host }, developmentEnvironment(token));
  try {
    const { port } = await host.next<{ port: number }>();
    const sources = new SourceMap(await readFile(join(dirname(CLI), "enclave/enclave.cjs"), "utf8"));
    for (const connections of CONNECTIONS) {
      await order<Measured>(generator, { kind: "measure", port, token, connections, warmMs: WARM_MS, measureMs: 100, pids: [] });
      for (const socket of Object.values(sockets)) await askProbe(socket, "profile");
      const { calls } = await order<Measured>(generator, { kind: "measure", port, token, connections, warmMs: 0, measureMs: PROFILED_MS, pids: [] });
      for (const [side, socket] of Object.entries(sockets)) {
        const taken = await askProbe<{ profile: CpuProfile }>(socket, "stop");
        output.write(`${side}, ${connections} connections, ${calls} calls\n${topCosts(taken.profile, calls, sources)}\n`);
      }
    }
  } finally {
    await host.stop();
  }
}
