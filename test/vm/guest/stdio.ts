/** Runs inside the guest in place of the enclave: brings the spawner servers with their archives, and tells what each does. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { asCmcpError, examine } from "@cmcp/boundary";
import { DEFAULT_BOUNDS, Spawner, type ServerBounds } from "@cmcp/spawner";
import { HOST_CID, loadVsockAddon } from "@cmcp/wire";
import { report } from "./report.ts";

/** A server of the test, with its archive in a file of its name. */
export interface GuestServer {
  readonly name: string;
  /** Hex. */
  readonly digest: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly bounds?: Partial<ServerBounds>;
  /** Secrets of its start. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Whether it has a way out, where it is answered with what it said. */
  readonly hasEgress?: boolean;
}

/** What became of the servers, by their names. */
export interface Spawned {
  readonly found: Readonly<Record<string, string>>;
  /** The first lines that a server says, then how it ended; or why it did not start. */
  readonly said: Readonly<Record<string, readonly string[]>>;
  /** The bounds of the cgroup of the first server while it ran, and of all servers. */
  readonly cgroups: Readonly<Record<string, string>>;
}

const FOLDER = "/app/servers";
const CGROUPS = "/sys/fs/cgroup/servers";
/** Milliseconds that a server may take to say its two lines or to end. */
const SAY_MS = 120_000;

const read = (path: string): string => readFileSync(path, "utf8").trim();

function boundsNow(): Record<string, string> {
  const server = readdirSync(CGROUPS).find((name) => /^\d+$/.test(name)) ?? "none";
  const names = ["memory.max", "memory.oom.group", "pids.max", "cpu.max"];
  return {
    ...Object.fromEntries(names.map((name) => [name, read(join(CGROUPS, server, name))])),
    "all memory.max": read(join(CGROUPS, "memory.max")),
  };
}

async function lines(
  spawner: Spawner,
  [index, { secrets = {} }]: readonly [number, Pick<GuestServer, "secrets">],
  whileRunning: () => void,
): Promise<string[]> {
  try {
    const channel = await spawner.start(index, { secrets });
    const connection = await channel.egress?.();
    connection?.pipe(connection);
    const said: string[] = [];
    const two = new Promise<void>((resolve) =>
      channel.onMessage((message) => {
        said.push(Buffer.from(examine(message)).toString("utf8"));
        if (said.length === 2) resolve();
      }),
    );
    const late = new Promise<void>((resolve) => setTimeout(resolve, SAY_MS));
    await Promise.race([two, late, channel.closed.then(({ code }) => void said.push(code))]);
    whileRunning();
    await channel.close();
    return said;
  } catch (thrown) {
    return [asCmcpError(thrown, "INTERNAL", "").code];
  }
}

async function spawned(): Promise<Spawned> {
  const servers = JSON.parse(read(join(FOLDER, "list"))) as readonly GuestServer[];
  const spawner = await Spawner.open(
    process.env["CMCP_SPAWN_SOCKET"] ?? "",
    servers.map(({ name, digest, program, args, bounds, hasEgress = false }) => ({
      tree: `/srv/${name}`,
      digest: Buffer.from(digest, "hex"),
      program,
      args,
      environment: { HOME: "/tmp" },
      bounds: { ...DEFAULT_BOUNDS, ...bounds },
      hasEgress,
    })),
    function* (tree) {
      const bytes = readFileSync(join(FOLDER, tree.replace("/srv/", "")));
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    },
  );
  const found = Object.fromEntries(servers.map(({ name }, index) => [name, spawner.found[index]?.status ?? ""]));
  let cgroups: Record<string, string> = {};
  const said: Record<string, readonly string[]> = {};
  for (const [index, server] of servers.entries())
    said[server.name] = await lines(spawner, [index, server], () => {
      if (index === 0) cgroups = boundsNow();
    });
  said["after all"] = await lines(spawner, [0, {}], () => undefined);
  return { found, said, cgroups };
}

report(
  loadVsockAddon(process.env["CMCP_VSOCK_ADDON"] ?? ""),
  spawned().catch((thrown: unknown) => ({ failed: String(thrown) })),
  HOST_CID,
);
