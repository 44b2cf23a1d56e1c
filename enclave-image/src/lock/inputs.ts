import { join } from "node:path";
import { PackageCache } from "./fetch.ts";
import { readLock, type InputLock } from "./lock.ts";
import { configuredMirrors, sourcesOf } from "./sources.ts";

/** The lock file and the packages it names. */
export interface Inputs {
  readonly lock: InputLock;
  readonly cache: PackageCache;
}

/** Opens the lock file with a cache of its packages below `folder`. @throws CmcpError `IMAGE_INPUT_INVALID` */
export function openInputs(folder: string): Inputs {
  const lock = readLock();
  const mirrors = configuredMirrors();
  return { lock, cache: new PackageCache(join(folder, "packages"), (entry) => sourcesOf(entry, lock, mirrors)) };
}
