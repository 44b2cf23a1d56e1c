import { dirname, join } from "node:path";
import { Child } from "../processes/child.ts";
import { askProbe } from "../processes/probe-client.ts";
import { residentBytes } from "../processes/usage.ts";
import type { Setup } from "./setup.ts";

/** What the enclave's process holds, in bytes. */
export interface Look {
  /** V8's heap after a collection, and what lies outside it on its behalf. */
  readonly heap: number;
  readonly external: number;
  /** Resident memory before the collection. */
  readonly rss: number;
}

/** The gateway started by the bench's own host, with the probe in its enclave. */
export interface Instrumented {
  readonly port: number;
  /** Sockets of the probes. */
  readonly probes: { readonly enclave: string; readonly host: string };
  readonly look: () => Promise<Look>;
}

/** Runs `work` with a gateway that can be looked into. */
export async function withInstrumented<T>(setup: Setup, work: (gateway: Instrumented) => Promise<T>): Promise<T> {
  const folder = dirname(setup.config);
  const probes = { enclave: join(folder, "enclave.probe"), host: join(folder, "host.probe") };
  const host = Child.start(
    "./instrumented-host.ts",
    { config: setup.config, socket: probes.enclave, hostSocket: probes.host },
    setup.environment,
  );
  try {
    const { port, enclavePid } = await host.next<{ port: number; enclavePid: number }>();
    const look = async (): Promise<Look> => {
      const rss = await residentBytes(enclavePid);
      const { heapUsed, external } = await askProbe<{ heapUsed: number; external: number }>(probes.enclave, "heap");
      return { rss, heap: heapUsed, external };
    };
    return await work({ port, probes, look });
  } finally {
    await host.stop();
  }
}
