import { hash } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Toolchain } from "../build/toolchain.ts";
import type { PackageCache } from "../lock/fetch.ts";
import type { LockedPackage } from "../lock/lock.ts";

/**
 * Unpacks packages that only test the image, once, below `folder` under a name derived from their hashes. A folder that
 * exists is not checked again: nothing in it gets into an image, and unpacking for each test takes too long.
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
    // Another process unpacked the same packages first.
    if (!existsSync(root)) throw thrown;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return new Toolchain(root);
}
