import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { CmcpError, toHex } from "@cmcp/boundary";
import { ChannelClient, readMessages, type OpenChannel } from "@cmcp/mcp";
import {
  MAX_MESSAGE_BYTES,
  Spawner,
  allowServer,
  defaultServerSettings,
  type AllowedServer,
  type Confinement,
  type StdioChannel,
} from "@cmcp/spawner";
import { interpreterFiles, startSpawner } from "@cmcp/spawner/host";
import { treeArchive, treeDigest } from "@cmcp/spawner/tree";
import { SPAWNER } from "../start/enclave-settings.ts";
import { listItems, type ListedServer } from "./live-server.ts";

/** How long a server may take over its handshake and its list, in milliseconds. */
const LIMITS = { connectMs: 30_000, totalMs: 60_000 };

/** A host that a stdio server may reach. */
export interface EgressTarget {
  readonly host: string;
  readonly port: number;
}

/** A stdio server whose files are there, as the gateway would start it. */
export interface StdioServer {
  /** Its name for people, which settings and records call it by. */
  readonly name: string;
  /** Folder with the server and everything it depends on, or its only file. Absolute. */
  readonly tree: string;
  /** `node`, or the absolute path of a program of the tree. */
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Names of provisioned credentials, by the variables that have their values. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Hosts that it may reach, once a gateway runs it. */
  readonly egress?: readonly EgressTarget[];
}

/** A stdio server as it answered. */
export interface ListedStdioServer extends ListedServer {
  /** `none`: it ran as this user, unconfined, as this machine cannot confine it. */
  readonly confinement: Confinement;
}

function overChannel(channel: StdioChannel): OpenChannel {
  return async (receiver) => {
    channel.onMessage(async (bytes) => {
      for (const message of readMessages(bytes, MAX_MESSAGE_BYTES, receiver.batches)) await receiver.received(message);
    });
    return {
      send: async (text, { signal }) => await channel.send(Buffer.from(text), signal),
      closed: channel.closed,
      close: async () => await channel.close(),
    };
  };
}

/** The files of this Node, which servers are run with; on a machine that cannot confine, itself alone. */
async function runtime(): Promise<readonly string[]> {
  const node = await realpath(process.execPath);
  return await interpreterFiles(node).catch(() => [node]);
}

/** Starts a server once, confined where this machine can, and hands over its channel while `read` runs. */
async function whileStarted<T>(
  server: AllowedServer,
  secrets: Readonly<Record<string, string>>,
  read: (channel: StdioChannel, confinement: Confinement) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-list-"));
  const socket = join(folder, "spawn.sock");
  const stage = join(folder, "stage");
  try {
    const running = await startSpawner({
      program: SPAWNER,
      socket,
      stage,
      runtime: await runtime(),
      developmentMode: true,
    });
    try {
      const spawner = await Spawner.open(socket, [server], treeArchive);
      try {
        return await read(await spawner.start(0, { secrets }), spawner.confinement);
      } finally {
        spawner.close();
      }
    } finally {
      await running.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Measures a stdio server's files, starts it once as the gateway would, and reads the tools that it lists.
 * @param values what variables have for this one start
 * @throws CmcpError for files that cannot be measured, and for a server that does not answer
 */
export async function readStdioServer(
  { name, tree, command, args, environment, secrets = {}, egress = [] }: StdioServer,
  values: Readonly<Record<string, string>> = {},
): Promise<ListedStdioServer> {
  const spawn = {
    command,
    args: [...args],
    measure_target: tree,
    binary_digest: `sha256:${toHex(treeDigest(tree))}`,
    ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
    ...(egress.length === 0 ? {} : { egress: egress.map(({ host, port }) => ({ host, port })) }),
  };
  const settings = { ...defaultServerSettings(), environment: { ...environment } };
  const allowed = allowServer(name, spawn, { allowUnmeasured: false, settings });
  return await whileStarted(allowed, values, async (channel, confinement) => {
    const client = new ChannelClient({
      open: () => overChannel(channel),
      clientInfo: { name: "cmcp-catalog", version: "0.1.0" },
      limits: LIMITS,
    });
    try {
      const tools = await listItems(client, "tools");
      return {
        confinement,
        location: { transport: "stdio", spawn },
        lists: { tools, prompts: [], resources: [], templates: [] },
      };
    } catch (thrown) {
      throw withAdvice(thrown, name);
    } finally {
      await client.close();
    }
  });
}

/** The error of a server that is gone before it listed its tools, with what it may have lacked. */
function withAdvice(thrown: unknown, name: string): unknown {
  if (!(thrown instanceof CmcpError) || thrown.code !== "UPSTREAM_UNAVAILABLE") return thrown;
  return new CmcpError(
    "UPSTREAM_UNAVAILABLE",
    `${name} ended before it listed its tools. It may need arguments (--arg), a variable (--env), a secret ` +
      "(--secret, with the variable set here), or a network or files of the machine, which a confined server does not have",
    { cause: thrown },
  );
}

/** A stdio server's name for people: its folder's. */
export function nameOfTree(tree: string): string {
  return basename(resolve(tree));
}
