import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a test says when it skips for want of the corpus. */
export const NO_SHARED_FOLDER = "the corpus of genuine evidence is not here; set CMCP_SHARED to its folder";

const BESIDE_REPOSITORY = fileURLToPath(new URL("../../../../../shared", import.meta.url));

/** The folder with `evidence`, `vectors` and `design`: `CMCP_SHARED`, or `shared` beside the repository; `null` when absent. */
export function sharedFolder(): string | null {
  const folder = process.env["CMCP_SHARED"] ?? BESIDE_REPOSITORY;
  return existsSync(join(folder, "evidence")) ? folder : null;
}

/** One file of the folder, `evidence/amd/INDEX.json` for example; `null` when the folder is absent. A missing file in it is an error. */
export function sharedFile(path: string): Uint8Array<ArrayBuffer> | null {
  const folder = sharedFolder();
  return folder === null ? null : Uint8Array.from(readFileSync(join(folder, path)));
}
