import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { CLI } from "../../gateway/gateway.ts";
import { TOOL } from "../call.ts";
import type { Measured } from "../load/job.ts";
import { CONNECTIONS } from "../plan.ts";
import { askProbe } from "../processes/probe-client.ts";
import { SourceMap, topCosts, type CpuProfile } from "../report/self-time.ts";
import type { Bench } from "./bench.ts";
import { withInstrumented } from "./instrumented.ts";
import { order } from "./order.ts";

const WARM_MS = 5_000;
const PROFILED_MS = 4_000;

/** Profiles enclave and host under both loads and prints the functions with the most time of their own. */
export async function profile({ setUp, generator }: Bench, output: Writable): Promise<void> {
  const setup = await setUp();
  const [token] = setup.tokens;
  await withInstrumented(setup, async ({ port, probes }) => {
    const sources = new SourceMap(await readFile(join(dirname(CLI), "enclave/enclave.cjs"), "utf8"));
    for (const connections of CONNECTIONS) {
      await order<Measured>(generator, {
        kind: "measure",
        port,
        tokens: [token],
        tools: [TOOL],
        connections,
        warmMs: WARM_MS,
        measureMs: 100,
        pids: [],
      });
      for (const socket of Object.values(probes)) await askProbe(socket, "profile");
      const { calls } = await order<Measured>(generator, {
        kind: "measure",
        port,
        tokens: [token],
        tools: [TOOL],
        connections,
        warmMs: 0,
        measureMs: PROFILED_MS,
        pids: [],
      });
      for (const [side, socket] of Object.entries(probes)) {
        const taken = await askProbe<{ profile: CpuProfile }>(socket, "stop");
        output.write(
          `${side}, ${connections} connections, ${calls} calls\n${topCosts(taken.profile, calls, sources)}\n`,
        );
      }
    }
  });
}
