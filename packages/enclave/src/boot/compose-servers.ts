import { BufferedBytes } from "@cmcp/boundary";
import type { Listeners } from "../access/listeners.ts";
import { Credentials } from "../servers/credentials.ts";
import { DriftMonitor } from "../servers/drift.ts";
import { StdioServers } from "../servers/stdio/servers.ts";
import { Subscriptions } from "../servers/subscriptions.ts";
import { Upstreams } from "../servers/upstreams.ts";
import { watchServers } from "../servers/watch.ts";
import type { AcceptedLaunch, LaunchContents, Environment } from "./launch.ts";

/** The tool servers: connections, credentials, drift and subscriptions. */
export interface ServerParts {
  readonly upstreams: Upstreams;
  readonly credentials: Credentials;
  readonly drift: DriftMonitor;
  readonly subscriptions: Subscriptions;
  /** Counts the bytes that are held for agents and of servers. */
  readonly buffered: BufferedBytes;
}

/** Composes the tool servers. @param listeners get the change notifications of servers */
export async function composeServers(
  { config, document, dial }: AcceptedLaunch,
  { catalog }: LaunchContents,
  environment: Environment,
  listeners: Listeners,
): Promise<ServerParts> {
  const { enclave } = config;
  const buffered = new BufferedBytes();
  const stdio = await StdioServers.open(catalog, config, {
    path: environment.spawner,
    development: document.development,
    buffered,
  });
  const credentials = new Credentials(catalog);
  const limits = {
    connectMs: enclave.upstream_connect_timeout_ms,
    headersMs: enclave.upstream_idle_timeout_ms,
    idleMs: enclave.upstream_idle_timeout_ms,
    totalMs: enclave.upstream_call_timeout_ms,
    // JSON on the wire is larger than the delivered result. The exact limit is checked after parsing.
    maxResponseBytes: config.max_response_size_bytes * 2,
  };
  const upstreams = new Upstreams({ dial, stdio, credentials, buffered, limits });
  const drift: DriftMonitor = new DriftMonitor(
    catalog,
    async (server, kind, signal) => {
      const listed = await upstreams.list(server, kind, signal);
      watch(server);
      return listed;
    },
    enclave.drift_check_seconds * 1000,
  );
  const watch = watchServers({ upstreams, drift, listeners });
  return { upstreams, credentials, drift, subscriptions: new Subscriptions(upstreams, listeners), buffered };
}
