import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { unpackDeb } from "../archive/deb.ts";
import type { PackageCache } from "../lock/fetch.ts";
import type { LockedPackage } from "../lock/lock.ts";

/** Bytes a program may print. */
const MAX_OUTPUT = 64 * 1024 * 1024;
/** Milliseconds a program may run: the slowest is zstd. */
const MAX_RUN_MS = 600_000;

/**
 * Programs of locked packages, unpacked in a folder and never installed. They run under the packages' own dynamic
 * loader with the packages' own libraries and an empty environment, so that the machine lends them its kernel only.
 */
export class Toolchain {
  /** Where the packages are unpacked. */
  readonly root: string;

  /** Believes that packages are unpacked in `root`, unchanged. */
  constructor(root: string) {
    this.root = root;
  }

  /**
   * Fetches the packages, compares their hashes and unpacks them into a folder of their own. A build does it anew each
   * time, in seconds: nothing would say whether a folder from an earlier run still holds what was unpacked there.
   *
   * @throws CmcpError `IMAGE_BUILD_FAILED` for a folder that is there, else as {@link PackageCache.get}; nothing of it
   * then stays
   */
  static async unpacked(packages: readonly LockedPackage[], cache: PackageCache, root: string): Promise<Toolchain> {
    mkdirSync(dirname(root), { recursive: true });
    try {
      mkdirSync(root);
    } catch (cause) {
      throw new CmcpError("IMAGE_BUILD_FAILED", `${root} cannot be made for the build's programs`, { cause });
    }
    try {
      for (const entry of packages) await unpackDeb(await cache.get(entry), root);
    } catch (thrown) {
      rmSync(root, { recursive: true, force: true });
      throw thrown;
    }
    return new Toolchain(root);
  }

  /** The folders of shared libraries, for the dynamic loader. */
  get libraries(): string {
    return [join(this.root, "usr/lib/x86_64-linux-gnu"), join(this.root, "usr/lib/x86_64-linux-gnu/swtpm")].join(":");
  }

  /** Command line that runs a program of the packages, to be followed by the program's own arguments. */
  command(program: string): [string, ...string[]] {
    return [
      join(this.root, "usr/lib64/ld-linux-x86-64.so.2"),
      "--inhibit-cache",
      "--library-path",
      this.libraries,
      join(this.root, program),
    ];
  }

  /**
   * Runs a program to its end.
   *
   * @throws CmcpError `IMAGE_BUILD_FAILED` with what it printed, when it fails or needs a library of the machine
   */
  run(
    program: string,
    args: readonly string[],
    options: { readonly cwd?: string; readonly environment?: Readonly<Record<string, string>> } = {},
  ): Uint8Array {
    this.#assertOwnLibraries(program);
    return this.#spawn(program, args, options);
  }

  /**
   * The loader falls back to the machine's folders for a library it does not find; nothing of them may get into a
   * build.
   */
  #assertOwnLibraries(program: string): void {
    const [loader, ...rest] = this.command(program);
    const listed = spawnSync(loader, [...rest.slice(0, -1), "--list", join(this.root, program)], {
      env: {},
      encoding: "utf8",
    });
    const foreign = [...listed.stdout.matchAll(/^\t(\S+) => (.+)$/gm)].filter(
      ([, , path]) => path?.startsWith(`${this.root}/`) !== true,
    );
    if (listed.status !== 0 || foreign.length > 0) {
      const names = foreign.map(([, name]) => name).join(", ");
      throw new CmcpError(
        "IMAGE_BUILD_FAILED",
        `${program} needs libraries that no package of the lock file brings: ` +
          (names === "" ? listed.stderr.trim() : names),
      );
    }
  }

  #spawn(
    program: string,
    args: readonly string[],
    options: { readonly cwd?: string; readonly environment?: Readonly<Record<string, string>> },
  ): Uint8Array {
    const [loader, ...rest] = this.command(program);
    const env = { LC_ALL: "C", TZ: "UTC", SOURCE_DATE_EPOCH: "0", ...options.environment };
    const done = spawnSync(loader, [...rest, ...args], {
      cwd: options.cwd ?? this.root,
      env,
      maxBuffer: MAX_OUTPUT,
      timeout: MAX_RUN_MS,
    });
    if (done.status !== 0) {
      const why = done.error?.message ?? `${done.stderr.toString()}${done.stdout.toString("utf8", 0, 4096)}`.trim();
      throw new CmcpError("IMAGE_BUILD_FAILED", `${program} failed: ${why}`);
    }
    return done.stdout;
  }
}
