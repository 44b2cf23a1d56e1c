/**
 * `make image-repro`: builds the image twice from copies of this folder, in different places and circumstances, and
 * compares every byte.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import { requireSame, type BuiltFiles } from "./compare.ts";
import { ROOT, copySources } from "./sources.ts";

/** What differs between the two builds beside place and time; none of it may show. */
const CIRCUMSTANCES = [
  { folder: "a", environment: { TZ: "Pacific/Kiritimati", LANG: "C", HOME: "/nonexistent" }, umask: "022" },
  {
    folder: "somewhere/else/with a space",
    environment: { TZ: "America/Lima", LANG: "tr_TR.UTF-8", HOME: "/tmp" },
    umask: "077",
  },
] as const;

function run(command: string, cwd: string, environment: Readonly<Record<string, string>>, umask: string): void {
  const done = spawnSync("/bin/sh", ["-c", `umask ${umask}; exec ${command}`], {
    cwd,
    env: { PATH: process.env["PATH"], ...environment },
    stdio: "inherit",
  });
  if (done.status !== 0) throw new Error(`${command} failed in ${cwd}`);
}

/** Copies the sources, with the package stores of this folder to install from. */
function prepare(folder: string): void {
  mkdirSync(dirname(folder), { recursive: true });
  copySources(folder);
  mkdirSync(join(folder, ".cache/image"), { recursive: true });
  symlinkSync(join(ROOT, ".cache/pnpm-store"), join(folder, ".cache/pnpm-store"));
  symlinkSync(join(ROOT, ".cache/image/packages"), join(folder, ".cache/image/packages"));
  symlinkSync(join(ROOT, "toolchain/node_modules"), join(folder, "toolchain/node_modules"));
}

/** Installs, bundles and builds, with a toolchain unpacked anew, and returns where the image is. */
function buildIn(folder: string, { environment, umask }: (typeof CIRCUMSTANCES)[number]): string {
  const node = `"${process.execPath}"`;
  run("sh scripts/setup.sh", folder, environment, umask);
  run(`${node} scripts/build.ts`, folder, environment, umask);
  run(`${node} --disable-warning=ExperimentalWarning enclave-image/src/build/main.ts`, folder, environment, umask);
  return join(folder, "out/image");
}

function filesIn(folder: string): BuiltFiles {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
}

const root = mkdtempSync(join(tmpdir(), "cmcp-repro-"));
try {
  mkdirSync(join(ROOT, ".cache/image/packages"), { recursive: true });
  // Both copies first, so that a change to the sources meanwhile is in both or in neither.
  for (const { folder } of CIRCUMSTANCES) prepare(join(root, folder));
  const [first, second] = CIRCUMSTANCES.map((circumstances) =>
    filesIn(buildIn(join(root, circumstances.folder), circumstances)),
  );
  requireSame(first ?? new Map(), second ?? new Map());
  process.stdout.write(`image-repro: two builds, ${first?.size ?? 0} files each, are the same byte for byte\n`);
} catch (thrown) {
  if (!(thrown instanceof CmcpError)) throw thrown;
  process.stderr.write(`image-repro: ${thrown.code}: ${thrown.message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
