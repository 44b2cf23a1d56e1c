import { startGateway } from "../../gateway/gateway.ts";
import { Child } from "../processes/child.ts";
import type { Setup } from "./setup.ts";

/** A side of the comparison: where it listens, and its processes. */
export interface Side {
  readonly port: number;
  readonly pids: readonly number[];
}

/** Both sides of a comparison. */
export interface Sides {
  readonly bare: Side;
  readonly gateway: Side;
}

/** Runs `work` with the bare proxy and the shipped gateway in front of the same servers. */
export async function withSides<T>(setup: Setup, work: (sides: Sides) => Promise<T>): Promise<T> {
  const proxy = Child.start("./bare-proxy.ts", setup.bare);
  try {
    const { port } = await proxy.next<{ port: number }>();
    const started = await startGateway(setup.config, setup.environment);
    try {
      return await work({
        bare: { port, pids: [proxy.pid] },
        gateway: { port: Number(new URL(started.url).port), pids: [started.pid, started.enclave_pid] },
      });
    } finally {
      await started.stop();
    }
  } finally {
    await proxy.stop();
  }
}

/** Measures both sides in turn, the first of each round changing, so that what else the machine does falls on both. */
export async function pairs<T>(
  { bare, gateway }: Sides,
  rounds: number,
  sample: (side: Side) => Promise<T>,
): Promise<{ readonly bare: T; readonly gateway: T }[]> {
  const taken: { bare: T; gateway: T }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) {
      const first = await sample(bare);
      taken.push({ bare: first, gateway: await sample(gateway) });
    } else {
      const first = await sample(gateway);
      taken.push({ gateway: first, bare: await sample(bare) });
    }
  }
  return taken;
}
