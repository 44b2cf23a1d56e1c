import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import type { InputLock } from "../lock/lock.ts";

/** SHA-256 of the program in the npm package that holds Node. */
export function binaryDigest(folder: string): string {
  return createHash("sha256")
    .update(readFileSync(join(folder, "bin/node")))
    .digest("hex");
}

/** SHA-256 over path, NUL, length as text, NUL and bytes of every C header of the package, sorted by path. */
export function headersDigest(folder: string): string {
  const include = join(folder, "include/node");
  const hash = createHash("sha256");
  const files = readdirSync(include, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".h"));
  for (const path of files.sort()) {
    const bytes = readFileSync(join(include, path));
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Holds the installed Node package to the lock file. @throws CmcpError `IMAGE_INPUT_MISMATCH` */
export function checkNodePackage(folder: string, lock: InputLock): void {
  let found: { binary: string; headers: string };
  try {
    found = { binary: binaryDigest(folder), headers: headersDigest(folder) };
  } catch (cause) {
    throw new CmcpError(
      "IMAGE_INPUT_UNAVAILABLE",
      `${lock.node.name}@${lock.node.version} is not installed at ${folder}; run make setup on x86-64 Linux`,
      { cause },
    );
  }
  for (const part of ["binary", "headers"] as const) {
    if (found[part] !== lock.node[part]) {
      throw new CmcpError(
        "IMAGE_INPUT_MISMATCH",
        `the ${part} of ${lock.node.name}@${lock.node.version} hash to ${found[part]}, the lock file says ` +
          lock.node[part],
      );
    }
  }
}
