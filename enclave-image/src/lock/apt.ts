import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { configuredMirrors } from "./sources.ts";
import type { LockedPackage } from "./lock.ts";

/** What apt knows of a package that may be downloaded. */
export type Found = Pick<LockedPackage, "version" | "archive" | "path" | "size" | "sha256">;

/** apt with lists of its own in a folder: it neither reads nor changes what is installed on the machine. */
export class PrivateApt {
  readonly #environment: NodeJS.ProcessEnv;

  /** Fetches the lists, signed by the keyring of the machine's `debian-archive-keyring`. */
  constructor(folder: string) {
    for (const name of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(folder, name), { recursive: true });
    const mirrors = configuredMirrors();
    const debian = mirrors.find((mirror) => mirror.endsWith("/debian")) ?? "http://deb.debian.org/debian";
    const security =
      mirrors.find((mirror) => mirror.endsWith("/debian-security")) ?? "http://deb.debian.org/debian-security";
    const line = (mirror: string, suite: string): string =>
      `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror} ${suite} main\n`;
    writeFileSync(
      join(folder, "sources.list"),
      [line(debian, "trixie"), line(security, "trixie-security"), line(debian, "sid")].join(""),
    );
    writeFileSync(join(folder, "status"), "");
    // Without this the newest of all suites would be taken, which is always sid.
    writeFileSync(join(folder, "preferences"), "Package: *\nPin: release n=sid\nPin-Priority: 100\n");
    const settings = {
      "Dir::State::lists": join(folder, "lists"),
      "Dir::State::status": join(folder, "status"),
      "Dir::Cache": join(folder, "cache"),
      "Dir::Etc::sourcelist": join(folder, "sources.list"),
      "Dir::Etc::sourceparts": "/dev/null",
      "Dir::Etc::preferences": join(folder, "preferences"),
      "Dir::Etc::preferencesparts": "/dev/null",
      "APT::Architecture": "amd64",
    };
    writeFileSync(
      join(folder, "apt.conf"),
      Object.entries(settings)
        .map(([name, value]) => `${name} "${value}";\n`)
        .join(""),
    );
    this.#environment = { ...process.env, APT_CONFIG: join(folder, "apt.conf"), LC_ALL: "C" };
    this.#run("apt-get", "update", "--quiet=2");
  }

  /** The package that a metapackage depends on. */
  followed(metapackage: string): string {
    const found = /^ {2}Depends: (\S+)$/m.exec(this.#run("apt-cache", "depends", "--no-recommends", metapackage))?.[1];
    if (found === undefined) throw new CmcpError("IMAGE_INPUT_UNAVAILABLE", `${metapackage} depends on nothing`);
    return found;
  }

  /** Where the current version of each package is, by name. */
  find(packages: readonly Pick<LockedPackage, "name" | "suite">[]): Map<string, Found> {
    const wanted = packages.map(({ name, suite }) => (suite === "sid" ? `${name}/sid` : name));
    const found = new Map<string, Found>();
    for (const line of this.#run("apt-get", "download", "--print-uris", ...wanted).split("\n")) {
      const [, archive, path = "", file = "", size, sha256] =
        /^'https?:\/\/\S*\/(debian|debian-security)\/(pool\/\S+)' (\S+) (\d+) SHA256:([0-9a-f]{64})$/.exec(line) ?? [];
      if (sha256 === undefined) continue;
      const [name = "", version = ""] = file.split("_");
      found.set(name, {
        version: decodeURIComponent(version),
        archive: archive === "debian" ? "debian" : "debian-security",
        path,
        size: Number(size),
        sha256,
      });
    }
    return found;
  }

  #run(command: string, ...args: string[]): string {
    try {
      return execFileSync(command, args, {
        env: this.#environment,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    } catch (thrown) {
      const said = thrown instanceof Error && "stderr" in thrown ? String(thrown.stderr).trim() : "it is not installed";
      throw new CmcpError("IMAGE_INPUT_UNAVAILABLE", `${command} ${args.join(" ")}: ${said}`);
    }
  }
}
