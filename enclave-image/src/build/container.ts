/** `make image-container`: builds Dockerfile.enclave with buildah and compares every file with out/image. */
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { firstDifference, type BuiltFiles } from "./compare.ts";
import { SIGNATURE } from "./manifest.ts";
import { ROOT } from "./sources.ts";

const output = join(ROOT, "out/image-container");
const storage = join(ROOT, ".cache/image/buildah");

/** A signature is the operator's, not the build's. */
function filesIn(folder: string): BuiltFiles {
  return new Map(
    readdirSync(folder)
      .filter((name) => name !== SIGNATURE)
      .map((name) => [name, readFileSync(join(folder, name))]),
  );
}

rmSync(output, { recursive: true, force: true });
const places = ["--root", join(storage, "root"), "--runroot", join(storage, "run"), "--storage-driver", "vfs"];
const build = [
  "bud",
  "--isolation",
  "chroot",
  "--layers=false",
  "--timestamp",
  "0",
  "--file",
  join(ROOT, "Dockerfile.enclave"),
  "--output",
  `type=local,dest=${output}`,
];
const done = spawnSync("buildah", [...places, ...build, join(ROOT, ".cache/image/context")], { stdio: "inherit" });
rmSync(storage, { recursive: true, force: true });
if (done.status !== 0) {
  process.stderr.write(
    "image-container: " +
      `${done.error === undefined ? "the build failed" : "buildah is needed; Debian has it as a package. Without root it needs a range of ids in /etc/subuid"}\n`,
  );
  process.exitCode = 1;
} else {
  const inside = filesIn(output);
  const difference = firstDifference(filesIn(join(ROOT, "out/image")), inside);
  process.stdout.write(
    `image-container: ${difference === null ? `${inside.size} files are the same as those of make image` : difference}\n`,
  );
  process.exitCode = difference === null ? 0 : 1;
}
