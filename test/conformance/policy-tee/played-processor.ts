import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { build } from "esbuild";
import { makeQuote } from "../../../packages/appraise/src/tdx/testing/platform.ts";
import { ROOT } from "../../gateway/deployment.ts";
import type { PlayedProcessor } from "./target.ts";

/** The modules by which the enclave reaches its processor. */
const REPLACED = [
  "attestation/src/configfs-tsm/files.ts",
  "attestation/src/attester/local-files.ts",
  "attestation/src/machine/machine.ts",
  "attestation/src/machine/read-event-log.ts",
].map((path) => join(ROOT, path));
const STAND_IN = join(import.meta.dirname, "played/processor.ts");

/** The enclave's script as it is built for shipping, but for the modules by which it reaches its processor. */
export async function playedScript(played: PlayedProcessor): Promise<Uint8Array> {
  const replaced = new Set<string>();
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, "packages/enclave/src/main.ts")],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node22",
    write: false,
    logLevel: "warning",
    define: { PLAYED: JSON.stringify({ ...played, quote: Buffer.from(await makeQuote()).toString("base64") }) },
    plugins: [
      {
        name: "played processor",
        setup(bundler) {
          bundler.onResolve({ filter: /\.ts$/ }, ({ path, resolveDir }) => {
            const module = join(resolveDir, path);
            if (!REPLACED.includes(module)) return undefined;
            replaced.add(module);
            return { path: STAND_IN };
          });
        },
      },
    ],
  });
  const [file] = outputFiles;
  if (file === undefined || replaced.size !== REPLACED.length)
    throw new Error(`of the enclave's ways to its processor only ${[...replaced].join(", ")} were found`);
  return file.contents;
}

/** The shipped enclave with a played processor, in a folder of its own. @returns the entry's path */
export async function playedEnclave(
  t: Pick<TestContext, "after">,
  shipped: string,
  played: PlayedProcessor,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-played-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(shipped, folder, { recursive: true });
  await writeFile(join(folder, "enclave.cjs"), await playedScript(played));
  return join(folder, "enclave.cjs");
}
