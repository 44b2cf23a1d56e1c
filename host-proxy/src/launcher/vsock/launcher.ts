import { CmcpError } from "@cmcp/boundary";
import { waitUntilDialable, type DialTimeouts } from "../wait-until-dialable.ts";
import type { Exit, Launcher, RunningEnclave } from "../launcher.ts";
import { lockVsock } from "./lock.ts";
import { waitUntilUnreachable, DEFAULT_WATCH, type WatchSettings } from "./wait-until-unreachable.ts";
import { listenForGuest, routeDialer, type VsockRoute } from "./route.ts";

/** A machine that somebody else starts and stops. */
export interface VsockSettings {
  readonly launcher: "vsock";
  readonly route: VsockRoute;
  /** Port of the guest on which its enclave listens. */
  readonly port: number;
  readonly patience?: DialTimeouts;
  readonly watch?: WatchSettings;
}

/**
 * How long a machine may take to come up, as when it is being started at the same moment. Dialled seldom:
 * docs/decisions/vsock-daemon.md.
 */
const PATIENCE: DialTimeouts = { ms: 60_000, everyMs: 1_000, attemptMs: 2_000 };
/** Nothing of it was this host's to see. */
const UNSEEN: Exit = { exitCode: undefined, exitSignal: undefined };

/** Prepares the attachment to a machine. @throws CmcpError `LAUNCH_VSOCK_IN_USE`, `LAUNCH_PROGRAM_MISSING` */
export async function openVsockLauncher({
  route,
  port,
  patience = PATIENCE,
  watch = DEFAULT_WATCH,
}: VsockSettings): Promise<Launcher> {
  const dialer = routeDialer(route, port);
  const lock = await lockVsock(route);
  return {
    placement: { launcher: "vsock", isolation: "machine", measuredBy: "unknown" },
    dialer,
    listen: (onStream) => listenForGuest(route, onStream),
    async start(signal): Promise<RunningEnclave> {
      if (!(await waitUntilDialable(dialer, patience, { signal })))
        throw new CmcpError(
          "ENCLAVE_UNAVAILABLE",
          `no enclave answers at ${dialer.address} within ${patience.ms} ms: is its machine up?`,
        );
      const detached = new AbortController();
      const exited = waitUntilUnreachable(dialer, detached.signal, watch).then(() => UNSEEN);
      return {
        pid: undefined,
        exited,
        stop: () => {
          detached.abort();
          return exited;
        },
      };
    },
    close: () => lock.release(),
  };
}
