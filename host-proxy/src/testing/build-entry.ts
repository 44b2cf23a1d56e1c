import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Bundles the test's wire peer as the enclave is bundled: one CommonJS file. Returns its path. */
export function buildEnclaveEntry(test: TestContext): string {
  const outfile = join(temporaryDirectory(test), "enclave.cjs");
  buildSync({
    entryPoints: [fileURLToPath(new URL("./enclave-entry.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node22",
    logLevel: "error",
  });
  return outfile;
}
