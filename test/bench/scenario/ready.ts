import { performance } from "node:perf_hooks";
import { startGateway } from "../../gateway/gateway.ts";
import { startObservedHost } from "../../hostile/observed-host.ts";
import { TOOL } from "../call.ts";
import type { Measured } from "../load/job.ts";
import { TARGETS } from "../plan.ts";
import { atMost, figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { order } from "./order.ts";
import type { Setup } from "./setup.ts";

async function enclaveStart({ config, environment }: Setup): Promise<number> {
  const host = await startObservedHost(config, environment);
  try {
    const started = performance.now();
    await host.startEnclave();
    return performance.now() - started;
  } finally {
    await host.close();
  }
}

async function commandStart({ config, environment }: Setup): Promise<number> {
  const started = performance.now();
  const gateway = await startGateway(config, environment);
  const taken = performance.now() - started;
  await gateway.stop();
  return taken;
}

/** Makes a record of calls that a later start has to read. Returns how many. */
async function record({ generator, plan }: Bench, { config, environment, tokens: [token] }: Setup): Promise<number> {
  const gateway = await startGateway(config, environment);
  try {
    const { calls } = await order<Measured>(generator, {
      kind: "measure",
      port: Number(new URL(gateway.url).port),
      tokens: [token],
      tools: [TOOL],
      connections: 32,
      warmMs: 0,
      measureMs: plan.recordMs,
      pids: [],
    });
    return calls;
  } finally {
    await gateway.stop();
  }
}

/** How long until a gateway serves, without a record and after one that has to be read and verified. */
export async function ready(bench: Bench): Promise<Row[]> {
  const setup = await bench.setUp();
  const enclave: number[] = [];
  const command: number[] = [];
  for (let start = 0; start < bench.plan.starts; start += 1) {
    enclave.push(await enclaveStart(setup));
    command.push(await commandStart(setup));
  }
  const calls = await record(bench, setup);
  return [
    atMost("enclave ready", { value: enclave, bound: TARGETS.readyMs }, "ms", "process start to provisioned, 10 rules"),
    figure("cmcp start ready", command, "ms", "the command's start to its ready line"),
    figure(
      "cmcp start ready, after calls",
      await commandStart(setup),
      "ms",
      `reads and verifies the record of ${calls} calls`,
    ),
  ];
}
