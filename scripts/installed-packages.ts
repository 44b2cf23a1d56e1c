import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A package installed from the registry. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** As its package.json says: an SPDX expression, or words. */
  readonly licence: string;
}

interface Listed {
  readonly name: string;
  readonly versions: readonly string[];
}

/** Every package of the workspace that is installed here, with its licence; needs no network. */
export function installedPackages(): InstalledPackage[] {
  const pnpm = join(root, "toolchain/node_modules/pnpm/bin/pnpm.cjs");
  const listed = JSON.parse(
    execFileSync(process.execPath, [pnpm, "licenses", "list", "--json"], {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 32 * 1024 * 1024,
    }),
  ) as Record<string, readonly Listed[]>;
  return Object.entries(listed).flatMap(([licence, packages]) =>
    packages.flatMap(({ name, versions }) => versions.map((version) => ({ name, version, licence }))),
  );
}

/**
 * `name@version` of every package whose code is in the shipped bundles, or that the package of the command line brings.
 */
export function shippedPackages(): Map<string, string> {
  const notices = readFileSync(join(root, "packages/cli/dist/THIRD-PARTY-NOTICES.txt"), "utf8");
  const shipped = new Map<string, string>();
  for (const section of notices.split(`${"-".repeat(80)}\n`)) {
    const [, name, version, licence] = /^\s*(\S+) (\S+) \((.*)\)$/m.exec(section) ?? [];
    if (name !== undefined && version !== undefined && licence !== undefined)
      shipped.set(`${name}@${version}`, licence);
  }
  const manifest = JSON.parse(readFileSync(join(root, "packages/cli/package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
    optionalDependencies?: Record<string, string>;
  };
  const installed = new Map(installedPackages().map(({ name, version, licence }) => [`${name}@${version}`, licence]));
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    const key = `${name}@${version}`;
    // Packages for other platforms are never installed here; the same publisher's for this one is checked.
    const licence = installed.get(key);
    if (licence !== undefined) shipped.set(key, licence);
  }
  return shipped;
}
