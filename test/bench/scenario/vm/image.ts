import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../../../gateway/deployment.ts";
import { atMost, notMeasured, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { IMAGE } from "./machine.ts";

const TARGETS = { initramfsMB: 45, buildSeconds: 300 } as const;
const WHAT = "image build after downloads";
const PACKAGES = join(ROOT, ".cache/image/packages");

/** The size of what every start loads and hashes. */
export function initramfs(): readonly Row[] {
  return [
    atMost(
      "compressed initramfs",
      { value: statSync(join(IMAGE, "initramfs.cpio.zst")).size / 1e6, bound: TARGETS.initramfsMB },
      "MB",
      "as published",
    ),
  ];
}

/** How long the build takes, the toolchain unpacked anew and every package at hand. The quick run leaves it out. */
export async function building({ plan, folder }: Bench): Promise<readonly Row[]> {
  if (plan.mode === "quick") return [notMeasured(WHAT, "the full run builds it")];
  if (!existsSync(PACKAGES)) return [notMeasured(WHAT, "no packages were fetched yet; run make image")];
  const cache = join(folder, "image-cache");
  await mkdir(cache);
  await symlink(PACKAGES, join(cache, "packages"));
  const started = performance.now();
  const build = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      join(ROOT, "enclave-image/src/build/main.ts"),
      "--cache",
      cache,
      "--output",
      join(folder, "image"),
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const [code] = (await once(build, "exit")) as [number | null];
  if (code !== 0) throw new Error(`the build ended with ${code}`);
  return [
    atMost(
      WHAT,
      { value: (performance.now() - started) / 1000, bound: TARGETS.buildSeconds },
      "s",
      "every step of make image but the downloads and the bundle",
    ),
  ];
}
