import { BufferedBytes, CmcpError } from "@cmcp/boundary";
import type { Listeners } from "../access/listeners.ts";
import { Consents, type SigningPair } from "@cmcp/oauth";
import type { ClientCertificate } from "../instance/client-certificate.ts";
import type { Clock } from "../instance/clock.ts";
import { Credentials } from "../servers/credentials.ts";
import { DriftMonitors } from "../servers/drift-monitors.ts";
import { ServerRoots } from "../servers/server-roots.ts";
import { SERVER_FAULTS, ServerFaults } from "../servers/server-faults.ts";
import { reportServerFault } from "../instance/stderr-events.ts";
import { hostArchives } from "../servers/stdio/host-archives.ts";
import { StdioServers } from "../servers/stdio/servers.ts";
import { stdioSurface } from "../servers/stdio/surface.ts";
import { Subscriptions } from "../servers/subscriptions.ts";
import { isPerCaller } from "../servers/server-session.ts";
import { Upstreams } from "../servers/upstreams.ts";
import { ServerWatch } from "../servers/watch.ts";
import { needsPublicOrigin } from "./server-needs.ts";
import type { AcceptedLaunch, LaunchContents, Environment } from "./launch.ts";

/** The tool servers: connections, credentials, drift and subscriptions. */
export interface ServerParts {
  readonly upstreams: Upstreams;
  readonly credentials: Credentials;
  /** Consents of persons that are under way. */
  readonly consents: Consents;
  /** One for each catalog. */
  readonly drift: DriftMonitors;
  readonly watch: ServerWatch;
  readonly subscriptions: Subscriptions;
  /** Which servers do not work. */
  readonly faults: ServerFaults;
  /** The roots that vouch for servers. */
  readonly roots: ServerRoots;
  /** Counts the bytes that are held for agents and of servers. */
  readonly buffered: BufferedBytes;
  /** What the stdio servers list, as a hash; `null` without any. */
  readonly surface: string | null;
}

/** What composing the tool servers needs beside the launch. */
interface ServersFrom {
  readonly environment: Environment;
  /** What servers' certificates are held to. */
  readonly clock: Clock;
  readonly clientCertificate: ClientCertificate | null;
  readonly clientKey: SigningPair | null;
  /** Get the change notifications of servers. */
  readonly listeners: Listeners;
}

/** Composes the tool servers. */
export async function composeServers(
  { config, document, dial, inImage }: AcceptedLaunch,
  { catalog }: LaunchContents,
  { environment, clock, clientCertificate, clientKey, listeners }: ServersFrom,
): Promise<ServerParts> {
  const { enclave } = config;
  const buffered = new BufferedBytes();
  const faults = new ServerFaults({
    report: (server, fault) => reportServerFault(server, fault, SERVER_FAULTS[fault]),
    monotonic: environment.monotonic,
  });
  const credentials = new Credentials(catalog);
  const stdio = await StdioServers.open(catalog, config, {
    path: environment.spawner,
    archives: hostArchives(environment.host),
    development: document.development,
    // An image is launched by hardware alone.
    inAttestedMachine: inImage,
    buffered,
    credentials,
    exited: (server) => faults.exited(server),
  });
  const consents = new Consents(environment.monotonic);
  const limits = {
    connectMs: enclave.upstream_connect_timeout_ms,
    headersMs: enclave.upstream_idle_timeout_ms,
    idleMs: enclave.upstream_idle_timeout_ms,
    totalMs: enclave.upstream_call_timeout_ms,
    // JSON on the wire is larger than the delivered result. The exact limit is checked after parsing.
    maxResponseBytes: config.max_response_size_bytes * 2,
  };
  const roots = new ServerRoots(enclave.server_roots ?? {}, enclave.spiffe_bundles);
  const upstreams = new Upstreams({
    dial,
    stdio,
    credentials,
    buffered,
    limits,
    now: () => clock.now().getTime(),
    roots,
    clientCertificate,
    clientKey,
    monotonic: environment.monotonic,
    consents,
    faults,
    publicOrigin: publicOriginOf(config, catalog),
  });
  const drift: DriftMonitors = new DriftMonitors(async (server, kind, signal, session) => {
    const listed = await upstreams.list(server, kind, signal, session);
    // The gateway itself has no token to listen with where each caller has its own.
    if (!isPerCaller(server)) watch.watch(server);
    return listed;
  }, enclave.drift_check_seconds * 1000);
  const watch = new ServerWatch({ upstreams, drift, listeners });
  const reached = new Subscriptions(upstreams, listeners);
  const surface = await stdioSurface({ catalog, drift: drift.of(catalog), policy: config.catalog.drift_policy });
  stdio.keepSurface(surface);
  const surfaceHash = surface?.hash ?? null;
  const shared = { faults, roots, buffered };
  return { upstreams, credentials, consents, drift, watch, subscriptions: reached, surface: surfaceHash, ...shared };
}

/**
 * Where browsers come back to after a consent.
 * @throws CmcpError `CONFIG_INVALID` where a server needs consents and the configuration does not say it
 */
function publicOriginOf({ enclave }: AcceptedLaunch["config"], catalog: LaunchContents["catalog"]): string | null {
  const { resource } = enclave.identity;
  if (resource != null) return new URL(resource).origin;
  if (needsPublicOrigin(catalog))
    throw new CmcpError(
      "CONFIG_INVALID",
      "enclave.identity.resource: is needed where a server of the catalog needs consents: browsers come back to its origin",
    );
  return null;
}
