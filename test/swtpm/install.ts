/** What test/swtpm/install.sh runs. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import { Toolchain } from "../../enclave-image/src/build/toolchain.ts";
import { openInputs } from "../../enclave-image/src/lock/inputs.ts";
import { packageNamed } from "../../enclave-image/src/lock/lock.ts";
import { ROOT } from "../gateway/deployment.ts";

/** The program and every library it is linked with, the C library included: the machine's may be too old for it. */
const PACKAGES = [
  "libc6",
  "libseccomp2",
  "libssl3t64",
  "libtpms0",
  "libzstd1",
  "swtpm",
  "swtpm-libs",
  "zlib1g",
] as const;
const PROGRAM = "usr/bin/swtpm";

const target = join(ROOT, ".cache/swtpm");
/** Where the tests look. */
const command = join(target, "usr/bin/swtpm");
/** Hashes of the packages that are unpacked; written last. */
const stamp = join(target, "packages");

/**
 * Installs unless the lock file's packages are unpacked already.
 * @throws CmcpError as {@link Toolchain.unpacked} and {@link Toolchain.run}
 */
async function install(): Promise<void> {
  const { lock, cache } = openInputs(join(ROOT, ".cache/image"));
  const packages = PACKAGES.map((name) => packageNamed(lock, name));
  const wanted = packages.map(({ sha256 }) => `${sha256}\n`).join("");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  rmSync(target, { recursive: true, force: true });
  const unpacked = await Toolchain.unpacked(packages, cache, join(target, "root"));
  unpacked.run(PROGRAM, ["--version"]);
  mkdirSync(join(target, "usr/bin"), { recursive: true });
  const words = new Toolchain("$root").command(PROGRAM).map((word) => `"${word}"`);
  writeFileSync(command, `#!/bin/sh\nroot=$(cd "$(dirname "$0")/../../root" && pwd)\nexec ${words.join(" ")} "$@"\n`);
  chmodSync(command, 0o755);
  writeFileSync(stamp, wanted);
}

try {
  await install();
} catch (thrown) {
  if (!(thrown instanceof CmcpError)) throw thrown;
  process.stderr.write(`swtpm: ${thrown.code}: ${thrown.message}\n  ${thrown.action}\n`);
  process.exitCode = 1;
}
