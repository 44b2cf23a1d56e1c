import { hash } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Toolchain } from "../build/toolchain.ts";
import type { PackageCache } from "../lock/fetch.ts";
import type { LockedPackage } from "../lock/lock.ts";

/**
 * Packages that only try the image, unpacked once below `folder` under a name of their hashes and then believed:
 * nothing of
 * them gets into an image, and each test would else wait for them.
 *
 * @throws CmcpError as {@link Toolchain.unpacked}
 */
export async function unpackedPackages(
  packages: readonly LockedPackage[],
  cache: PackageCache,
  folder: string,
): Promise<Toolchain> {
  const digest = hash("sha256", packages.map(({ sha256 }) => sha256).join("\n"));
  const root = join(folder, `root-${digest.slice(0, 16)}`);
  if (existsSync(root)) return new Toolchain(root);
  const partial = `${root}.${process.pid}`;
  try {
    await Toolchain.unpacked(packages, cache, partial);
    renameSync(partial, root);
  } catch (thrown) {
    // Another process unpacked the same at the same time, and was first.
    if (!existsSync(root)) throw thrown;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return new Toolchain(root);
}
