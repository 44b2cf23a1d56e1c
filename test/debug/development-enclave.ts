import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { ENCLAVE_SCRIPT } from "../../scripts/enclave-bundle.ts";
import { ROOT } from "../gateway/deployment.ts";

const ENGINE = "cedar_wasm_bg.wasm";

/**
 * Bundles the enclave and its policy worker with source maps inside, for a debugger.
 *
 * @param folder where to write, inside the repository; absolute
 * @returns path of the entry
 */
export async function buildDevelopmentEnclave(folder: string): Promise<string> {
  await build({
    ...ENCLAVE_SCRIPT,
    absWorkingDir: ROOT,
    entryPoints: { enclave: "packages/enclave/src/main.ts", "policy-worker": "packages/policy/src/compile-worker.ts" },
    outdir: folder,
    sourcemap: "inline",
  });
  await copyFile(join(ROOT, "packages/cli/dist/enclave", ENGINE), join(folder, ENGINE));
  return join(folder, "enclave.cjs");
}
