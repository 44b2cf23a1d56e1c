import { performance } from "node:perf_hooks";
import { developmentEnvironment, startGateway } from "../../gateway/gateway.ts";
import { startObservedHost } from "../../hostile/observed-host.ts";
import { TARGETS, median, type Plan } from "../plan.ts";
import { atMost, figure, type Row } from "../report/row.ts";

const ENVIRONMENT = developmentEnvironment("a-token-of-the-bench-that-nobody-uses-elsewhere");

async function enclaveStart(config: string): Promise<number> {
  const host = await startObservedHost(config, ENVIRONMENT);
  try {
    const started = performance.now();
    await host.startEnclave();
    return performance.now() - started;
  } finally {
    await host.close();
  }
}

async function commandStart(config: string): Promise<number> {
  const started = performance.now();
  const gateway = await startGateway(config, ENVIRONMENT);
  const taken = performance.now() - started;
  await gateway.stop();
  return taken;
}

/**
 * How long until a gateway serves.
 * @param config a gateway that has recorded nothing yet
 * @param used one whose host holds the record of the runs before, which a start reads and verifies
 */
export async function ready(config: string, used: string, plan: Plan): Promise<Row[]> {
  const enclave: number[] = [];
  const command: number[] = [];
  for (let start = 0; start < plan.starts; start += 1) {
    enclave.push(await enclaveStart(config));
    command.push(await commandStart(config));
  }
  return [
    atMost("enclave ready", median(enclave), TARGETS.readyMs, "ms", "process start to provisioned, 10 rules"),
    figure("cmcp start ready", median(command), "ms", "the command's start to its ready line"),
    figure("cmcp start ready, after the runs above", await commandStart(used), "ms", "reads and verifies the record of every call so far"),
  ];
}
