/**
 * For `make host-image`: a container image of the command line, the host proxy in it, from nothing: the pinned Node, `unshare` for the
 * enclave's isolation, the libraries that both need as this machine has them, and the packed command. No base image is pulled.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { interpreterFiles } from "../packages/spawner/src/host/interpreter.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** What the image is called where it is kept. */
export const HOST_IMAGE = "localhost/cmcp";
const STORAGE = join(ROOT, ".cache/host-image");

/** A command line of buildah, with a storage of its own. */
export function buildahArguments(args: readonly string[]): readonly string[] {
  return ["--root", join(STORAGE, "root"), "--runroot", join(STORAGE, "run"), "--storage-driver", "vfs", ...args];
}

/** Runs buildah; what it prints. */
export function buildah(args: readonly string[]): string {
  return execFileSync("buildah", buildahArguments(args), { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
}

/** The command as `pnpm pack` makes it, unpacked into a folder. */
function unpackCommand(folder: string): void {
  const packed = mkdtempSync(join(tmpdir(), "cmcp-packed-"));
  const pnpm = join(ROOT, "toolchain/node_modules/pnpm/bin/pnpm.cjs");
  execFileSync(process.execPath, [pnpm, "pack", "--pack-destination", packed], { cwd: join(ROOT, "packages/cli") });
  const [tarball = ""] = readdirSync(packed);
  mkdirSync(folder, { recursive: true });
  execFileSync("tar", ["-xzf", join(packed, tarball), "-C", folder, "--strip-components=1"]);
  rmSync(packed, { recursive: true });
}

/** Everything that is in the image. */
async function layOut(root: string): Promise<void> {
  const node = realpathSync(process.execPath);
  const unshare = realpathSync("/usr/bin/unshare");
  for (const program of [node, unshare])
    for (const file of await interpreterFiles(program)) {
      const inside = file === node ? "/usr/bin/node" : file === unshare ? "/usr/bin/unshare" : file;
      cpSync(realpathSync(file), join(root, inside));
    }
  unpackCommand(join(root, "opt/cmcp"));
  mkdirSync(join(root, "etc"));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/:/\ncmcp:x:10001:10001::/var/lib/cmcp:/\n");
  mkdirSync(join(root, "tmp"));
  chmodSync(join(root, "tmp"), 0o1777);
  mkdirSync(join(root, "var/lib/cmcp"), { recursive: true });
}

/** Builds the image. */
export async function buildHostImage(): Promise<void> {
  rmSync(STORAGE, { recursive: true, force: true });
  const context = join(STORAGE, "context");
  mkdirSync(context, { recursive: true });
  await layOut(join(context, "root"));
  const file = join(ROOT, "deployment/Dockerfile");
  buildah([
    "bud",
    "--isolation",
    "chroot",
    "--layers=false",
    "--timestamp",
    "0",
    "-f",
    file,
    "-t",
    HOST_IMAGE,
    context,
  ]);
  rmSync(context, { recursive: true });
}
