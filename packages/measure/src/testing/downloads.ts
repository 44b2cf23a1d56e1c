import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../../../../.cache/image/vectors", import.meta.url));

/** What a test says when it skips for want of files that are too large for the repository. */
export const NO_DOWNLOADS =
  "the firmware and kernel of the golden vectors are not in .cache/image/vectors; test/vectors/measure/download.sh fetches them";

/** A downloaded file of the golden vectors, by its name; `null` when it is not there. Another content is an error. */
export function downloaded(name: string, sha256: string): Buffer | null {
  const path = `${FOLDER}/${name}`;
  if (!existsSync(path)) return null;
  const bytes = readFileSync(path);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256) throw new Error(`${path} has SHA-256 ${found} instead of ${sha256}`);
  return bytes;
}
