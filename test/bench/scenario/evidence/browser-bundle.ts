import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { ROOT } from "../../../gateway/deployment.ts";
import { TARGETS } from "../../plan.ts";
import { atMost, type Row } from "../../report/row.ts";

const KIBI = 1024;

/** How much a web page has to load to verify claims with their evidence. */
export async function browserBundle(): Promise<readonly Row[]> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, "packages/verify/src/index.ts")],
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    minify: true,
    logLevel: "silent",
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error("the bundler wrote nothing");
  return [
    atMost(
      "verifier for the browser",
      { value: gzipSync(output.contents).length / KIBI, bound: TARGETS.browserBundleKiB },
      "KiB",
      `gzipped; ${(output.contents.length / KIBI).toFixed(0)} KiB minified`,
    ),
  ];
}
