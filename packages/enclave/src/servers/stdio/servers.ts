import { CmcpError, type BufferedBytes } from "@cmcp/boundary";
import { prefixedSha256, type Catalog, type StdioServer } from "@cmcp/catalog";
import type { Config } from "@cmcp/launch";
import {
  Spawner,
  StdioProcesses,
  allowServers,
  requireSpawner,
  spawnEvidence,
  stdioSchema,
  type AllowedServer,
  type ArchiveSource,
  type SpawnEvidence,
} from "@cmcp/spawner";
import type { Credentials } from "../credentials.ts";
import type { StdioSurface } from "./surface.ts";

/** What processes are started with, and who hears of their ends. */
interface ProcessPorts extends Pick<SpawnerAccess, "buffered"> {
  readonly secretsOf: (index: number) => Readonly<Record<string, string>>;
  readonly exited: (index: number) => void;
}

interface Entry {
  readonly index: number;
  readonly evidence: SpawnEvidence | "attested";
  /** SHA-256 in hex of the tree that the catalog approves; `null` without. */
  readonly tree: string | null;
}

/** The spawner of stdio servers. */
export interface SpawnerAccess {
  /** Path of the spawner's socket; `null` if no spawner runs. */
  readonly path: string | null;
  /** Where the files of servers come from. */
  readonly archives: ArchiveSource;
  readonly development: boolean;
  /** Whether hardware vouches for the machine that the spawner is part of. */
  readonly inAttestedMachine: boolean;
  /** Counts the bytes of messages that are held. */
  readonly buffered: BufferedBytes;
  /** The values of the servers' secrets. */
  readonly credentials: Pick<Credentials, "value" | "onChange">;
  /** Hears of a server whose process had served and ended by itself. */
  readonly exited: (server: StdioServer) => void;
}

/** The stdio servers of the catalog: their table in the spawner, and their processes. */
export class StdioServers {
  readonly processes: StdioProcesses;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #spawner: Spawner | null;
  #surface: StdioSurface | null = null;

  private constructor(
    spawner: Spawner | null,
    entries: ReadonlyMap<string, Entry>,
    settings: NonNullable<Config["enclave"]["stdio"]>,
    { buffered, secretsOf, exited }: ProcessPorts,
  ) {
    this.#spawner = spawner;
    this.#entries = entries;
    this.processes = new StdioProcesses(
      async (index) => {
        if (spawner === null)
          throw new CmcpError("SPAWN_UNAVAILABLE", "no spawner runs, so stdio servers cannot be started");
        return await spawner.start(index, {
          secrets: secretsOf(index),
          buffered: buffered.share(`stdio server:${index}`),
        });
      },
      {
        maxProcesses: settings.max_processes,
        maxPerPrincipal: settings.max_processes_per_principal,
        idleMs: settings.idle_seconds * 1000,
      },
      exited,
    );
  }

  /**
   * Sends the servers with their files to the spawner, and checks the measured files against the catalog.
   * @throws CmcpError `CONFIG_INVALID` for settings of an unknown server, `CATALOG_INVALID`, `SPAWN_NOT_PINNED`, `SPAWN_NOT_OFFERED`,
   * `SPAWN_UNAVAILABLE`, `SPAWN_DIGEST_MISMATCH`, `SPAWN_TREE_REFUSED`, `SPAWN_FAILED`
   */
  static async open(
    catalog: Pick<Catalog, "servers">,
    config: Config,
    { path, archives, development, inAttestedMachine, buffered, credentials, exited }: SpawnerAccess,
  ): Promise<StdioServers> {
    const settings = config.enclave.stdio ?? stdioSchema.parse({});
    const servers = catalog.servers.filter((server): server is StdioServer => server.transport === "stdio");
    const ports = {
      buffered,
      secretsOf: (index: number) => secretsOf(servers[index], credentials),
      exited: (index: number): void => {
        const server = servers[index];
        if (server !== undefined) exited(server);
      },
    };
    const allowed = allowServers(servers, {
      allowUnmeasured: config.attestation.allow_unmeasured_spawn === true,
      settings: settings.servers,
    });
    requireSpawner(servers, path !== null);
    if (servers.length === 0 || path === null) return new StdioServers(null, new Map(), settings, ports);
    const spawner = await Spawner.open(path, allowed, archives);
    try {
      requireFound(spawner, servers, allowed, development);
    } catch (thrown) {
      spawner.close();
      throw thrown;
    }
    const entries = servers.map((server, index): [string, Entry] => {
      const digest = allowed[index]?.digest ?? null;
      const evidence = spawnEvidence({ digest }, spawner.confinement);
      const tree = digest === null ? null : Buffer.from(digest).toString("hex");
      const isAttested = inAttestedMachine && evidence === "spawn-measured";
      return [server.identity, { index, evidence: isAttested ? "attested" : evidence, tree }];
    });
    const opened = new StdioServers(spawner, new Map(entries), settings, ports);
    credentials.onChange((changed) => {
      for (const [index, { spawn }] of servers.entries())
        if (Object.values(spawn.secrets ?? {}).some((name) => changed.has(name))) opened.processes.replace(index);
    });
    return opened;
  }

  /** The server's index in the spawner's table. */
  indexOf(server: StdioServer): number {
    return this.#entry(server).index;
  }

  /** The evidence class of a server, for entries. */
  evidenceOf(server: StdioServer): SpawnEvidence | "attested" {
    return this.#entry(server).evidence;
  }

  /** Keeps what the servers listed before anything was served. */
  keepSurface(surface: StdioSurface | null): void {
    this.#surface = surface;
  }

  /** What entries say of a server that runs in an attested machine; nothing of another. */
  detailOf(server: StdioServer): Readonly<Record<string, string>> {
    const { evidence, tree } = this.#entry(server);
    const { egress } = server.spawn;
    const tools = this.#surface?.servers[server.identity] ?? null;
    if (evidence !== "attested" || tree === null) return {};
    return {
      server_tree_digest: `sha256:${tree}`,
      ...(tools === null ? {} : { server_tools_hash: tools }),
      ...(egress === undefined ? {} : { server_egress_hash: prefixedSha256(egress) }),
    };
  }

  /** Ends every server and the spawner. */
  async close(): Promise<void> {
    await this.processes.close();
    this.#spawner?.close();
  }

  #entry({ identity }: StdioServer): Entry {
    const entry = this.#entries.get(identity);
    if (entry === undefined) throw new CmcpError("INTERNAL", "a stdio server is not in the spawner's table");
    return entry;
  }
}

/** The secrets of one start, by their variables. @throws CmcpError `CREDENTIAL_NOT_PROVISIONED` */
function secretsOf(
  server: StdioServer | undefined,
  credentials: Pick<Credentials, "value">,
): Readonly<Record<string, string>> {
  const named = Object.entries(server?.spawn.secrets ?? {});
  return Object.fromEntries(named.map(([variable, name]) => [variable, credentials.value(name)]));
}

/** Refuses the launch if the files of a server are not the approved ones. */
function requireFound(
  spawner: Spawner,
  servers: readonly StdioServer[],
  allowed: readonly AllowedServer[],
  development: boolean,
): void {
  if (spawner.confinement === "none" && !development)
    throw new CmcpError("SPAWN_UNAVAILABLE", "the spawner confines nothing; that needs development mode");
  for (const [index, server] of servers.entries()) {
    const found = spawner.found[index]?.status;
    const tree = allowed[index]?.tree ?? "";
    if (found === "digest-mismatch")
      throw new CmcpError(
        "SPAWN_DIGEST_MISMATCH",
        `stdio server ${server.name}: the files at ${tree} are not those the catalog approves`,
      );
    if (found === "tree-refused")
      throw new CmcpError("SPAWN_TREE_REFUSED", `stdio server ${server.name}: the files at ${tree} cannot be measured`);
    if (found !== "ready")
      throw new CmcpError("SPAWN_FAILED", `stdio server ${server.name} cannot be started: ${found ?? "nothing found"}`);
  }
}
