import { dirname, join } from "node:path";
import { startGateway } from "../../gateway/gateway.ts";
import { Child } from "../processes/child.ts";
import { startNginx } from "../processes/nginx.ts";
import type { Setup } from "./setup.ts";

/** A side of the comparison: where it listens, and its processes. */
export interface Side {
  readonly port: number;
  readonly pids: readonly number[];
}

/** The sides of a comparison. `nginx` is `null` where it is not installed, and where servers speak TLS. */
export interface Sides {
  readonly bare: Side;
  readonly nginx: Side | null;
  readonly gateway: Side;
}

/** What each side gave in a round. */
export interface Round<T> {
  readonly bare: T;
  readonly nginx: T | null;
  readonly gateway: T;
}

const NAMES = ["bare", "nginx", "gateway"] as const;

/** Runs `work` with the proxies and the shipped gateway in front of the same servers. */
export async function withSides<T>(setup: Setup, work: (sides: Sides) => Promise<T>): Promise<T> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const proxy = Child.start("./bare-proxy.ts", setup.bare);
    stops.push(() => proxy.stop());
    const { port } = await proxy.next<{ port: number }>();
    const nginx =
      setup.kind === "plain" ? await startNginx(join(dirname(setup.config), "nginx"), setup.bare.upstreams) : null;
    if (nginx !== null) stops.push(nginx.stop);
    const gateway = await startGateway(setup.config, setup.environment);
    stops.push(() => gateway.stop());
    return await work({
      bare: { port, pids: [proxy.pid] },
      nginx: nginx === null ? null : { port: nginx.port, pids: [nginx.pid] },
      gateway: { port: Number(new URL(gateway.url).port), pids: [gateway.pid, gateway.enclave_pid] },
    });
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

/** Measures all sides in turn, each round beginning with another, so that what else the machine does falls on all. */
export async function rounds<T>(sides: Sides, count: number, sample: (side: Side) => Promise<T>): Promise<Round<T>[]> {
  const taken: Round<T>[] = [];
  for (let round = 0; round < count; round += 1) {
    const results = new Map<string, T>();
    const first = round % NAMES.length;
    for (const name of [...NAMES.slice(first), ...NAMES.slice(0, first)]) {
      const side = sides[name];
      if (side !== null) results.set(name, await sample(side));
    }
    const [bare, gateway] = [results.get("bare"), results.get("gateway")];
    if (bare !== undefined && gateway !== undefined) taken.push({ bare, gateway, nginx: results.get("nginx") ?? null });
  }
  return taken;
}
