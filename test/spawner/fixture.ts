/** Real spawners for the tests of this folder: as root, where every server has a uid of its own, and as a plain user. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { DEFAULT_BOUNDS, Spawner, type AllowedServer, type ArchiveSource } from "@cmcp/spawner";
import { compileSpawner, interpreterFiles } from "@cmcp/spawner/host";
import { treeArchive } from "@cmcp/spawner/tree";
import { compileStatic } from "./compile.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Where the tests compile the spawner to. */
export const SPAWNER = join(ROOT, ".cache/spawner/cmcp-spawn");
/** A user that owns nothing, for tests that run as root. */
const PLAIN_UID = 64_321;
/** How root looks from inside a plain user's namespace, where it is not mapped (user_namespaces(7)). */
const OVERFLOW_UID = 65_534;

/** Who runs a spawner. `root` needs the test to be root. */
export type RunBy = "root" | "plain user";

/** Those this machine can show, each with the reason when it cannot. */
export const RUNNERS: readonly { readonly by: RunBy; readonly skip: string | false }[] = await (async () => {
  const why = process.platform === "linux" ? await compileSpawner(SPAWNER) : "not Linux";
  const missing = why === null ? false : `the spawner cannot be compiled here: ${why.split("\n", 1)[0]}`;
  const isRoot = process.geteuid?.() === 0;
  const probed = async (by: RunBy): Promise<string | false> =>
    missing || (by === "root" && !isRoot && "only root can give servers uids of their own") || (await probe(by));
  return [
    { by: "root", skip: await probed("root") },
    { by: "plain user", skip: await probed("plain user") },
  ];
})();

/** A spawner of the user that runs the tests. */
export const OWN = RUNNERS.find(({ by }) => by === (process.geteuid?.() === 0 ? "root" : "plain user")) ?? {
  by: "plain user",
  skip: "no spawner runs here",
};

/** The machine's node with its libraries, as servers see it. */
export const NODE_FILES = RUNNERS.every(({ skip }) => skip !== false)
  ? []
  : await interpreterFiles(realpathSync(process.execPath));

function identity(by: RunBy): { uid?: number; gid?: number } {
  return by === "plain user" && process.geteuid?.() === 0 ? { uid: PLAIN_UID, gid: PLAIN_UID } : {};
}

/** A folder that `by` owns, removed with `remove`. */
export function privateFolder(by: RunBy): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "cmcp-spawn-"));
  const { uid, gid } = identity(by);
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

async function probe(by: RunBy): Promise<string | false> {
  const folder = privateFolder(by);
  try {
    const child = spawn(SPAWNER, ["--probe", "--stage", folder.path], {
      ...identity(by),
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
    const [code] = (await once(child, "close")) as [number | null];
    return code === 0 ? false : `this machine does not allow the confinement: ${said.trim()}`;
  } finally {
    folder.remove();
  }
}

/** A spawner that listens, and its folder. */
export interface Listening {
  readonly socket: string;
  readonly stage: string;
  readonly pid: number;
  readonly exited: Promise<unknown>;
}

export interface Cleanup {
  after(undo: () => void | Promise<void>): void;
}

/** Starts a spawner; it and its folder go away with the test. */
export async function listen(
  test: Cleanup,
  by: RunBy,
  options: { readonly peerUid?: number } = {},
): Promise<Listening> {
  const folder = privateFolder(by);
  const stage = join(folder.path, "stage");
  mkdirSync(stage, { mode: 0o700 });
  const { uid, gid } = identity(by);
  if (uid !== undefined && gid !== undefined) chownSync(stage, uid, gid);
  const socket = join(folder.path, "spawn.sock");
  const peer = options.peerUid ?? (uid === undefined ? (process.geteuid?.() ?? 0) : OVERFLOW_UID);
  const args = [
    "--stage",
    stage,
    "--socket",
    socket,
    "--peer-uid",
    String(peer),
    ...NODE_FILES.flatMap((path) => ["--runtime", path]),
  ];
  const child = spawn(SPAWNER, args, {
    ...identity(by),
    stdio: ["ignore", "pipe", "inherit"],
    env: { HOST_SECRET: "not for servers" },
  });
  const exited = once(child, "exit");
  test.after(async () => {
    child.kill("SIGKILL");
    await exited;
    folder.remove();
  });
  await once(child.stdout, "data");
  if (child.pid === undefined) throw new Error("the spawner has no process id");
  return { socket, stage, pid: child.pid, exited };
}

/** A spawner that was given its servers. */
export async function open(
  test: Cleanup,
  by: RunBy,
  servers: readonly AllowedServer[],
  archives: ArchiveSource = treeArchive,
): Promise<{ readonly spawner: Spawner; readonly listening: Listening }> {
  const listening = await listen(test, by);
  const spawner = await Spawner.open(listening.socket, servers, archives);
  test.after(() => spawner.close());
  return { spawner, listening };
}

/** An empty folder for a server's files that any user can read. */
export function treeFolder(test: Cleanup): string {
  const path = mkdtempSync(join(tmpdir(), "cmcp-tree-"));
  chmodSync(path, 0o755);
  test.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A server of `tree`; pinned to nothing unless `rest` says so. */
export function serverOf(
  tree: string,
  program: string,
  args: readonly string[] = [],
  rest: Partial<AllowedServer> = {},
): AllowedServer {
  return { tree, digest: null, program, args, environment: { HOME: "/tmp" }, bounds: DEFAULT_BOUNDS, ...rest };
}

/** Process ids whose command line holds `text`: what of a server is alive. */
export function processesWith(text: string): number[] {
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(join("/proc", name, "cmdline"), "latin1").includes(text)) found.push(Number(name));
    } catch {
      // It ended while the list was read.
    }
  }
  return found;
}

/** A hostile program of `programs/`, compiled into a tree of its own. */
export async function hostileTree(
  test: Cleanup,
  name: "attacks" | "arguments" | "egress" | "hoard" = "attacks",
): Promise<{ readonly tree: string; readonly program: string }> {
  const tree = treeFolder(test);
  const program = join(tree, name);
  await compileStatic(fileURLToPath(new URL(`programs/${name}.c`, import.meta.url)), program);
  return { tree, program };
}
