import { readFile } from "node:fs/promises";
import { startGateway, type Gateway } from "../../../gateway/gateway.ts";
import { TOOLS } from "../../call.ts";
import type { Filled, OpenSession } from "../../load/job.ts";
import { TARGETS } from "../../plan.ts";
import { Child } from "../../processes/child.ts";
import { atMost, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { order } from "../order.ts";
import type { Setup, SetupWish } from "../setup.ts";

const MEBI = 2 ** 20;
/** Connections on which sessions are filled. */
const CONNECTIONS = 32;

/** A shipped gateway, and a load generator beside the bench's. */
export interface Running {
  readonly setup: Setup;
  readonly gateway: Gateway;
  readonly port: number;
  /** Processes of the gateway. */
  readonly pids: readonly number[];
  readonly storm: Child;
  /** Opens sessions of one principal and makes calls in them; they stay open. */
  readonly fill: (token: string, sessions: number, calls: number) => Promise<readonly OpenSession[]>;
}

/** Runs `work` with a gateway. */
export async function withRunning<T>(
  { setUp, generator }: Bench,
  wish: SetupWish,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const setup = await setUp({ tools: [TOOLS], ...wish });
  const gateway = await startGateway(setup.config, setup.environment);
  const storm = Child.start("./generator.ts", {});
  const port = Number(new URL(gateway.url).port);
  try {
    return await work({
      setup,
      gateway,
      port,
      pids: [gateway.pid, gateway.enclave_pid],
      storm,
      fill: async (token, sessions, calls) => {
        const load = { kind: "fill", port, tokens: [token], tools: TOOLS, bytes: 2_048 } as const;
        const filled = await order<Filled>(generator, { ...load, sessions, calls, connections: CONNECTIONS });
        return filled.sessions;
      },
    });
  } finally {
    await storm.stop();
    await gateway.stop();
  }
}

/** Most memory that a process had resident so far, in bytes; 0 when it has ended. @throws Error when there is no such process */
export async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** The row of the enclave's greatest resident memory. @throws Error when the enclave that was started has ended */
export async function enclavePeak(what: string, { gateway }: Running): Promise<Row> {
  const value = (await peakBytes(gateway.enclave_pid)) / MEBI;
  if (value === 0) throw new Error("the enclave has ended");
  const detail = "VmHWM of the enclave, which is the one that was started";
  return atMost(`${what}: enclave's peak memory`, { value, bound: TARGETS.enclaveMiB }, "MiB", detail);
}
