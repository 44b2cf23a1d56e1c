import process from "node:process";
import { fileURLToPath } from "node:url";
import { CmcpError, isJsonObject, parseJson, untrusted } from "@cmcp/boundary";
import { readArguments } from "./arguments.ts";
import type { Terminal } from "./command.ts";
import { readSmallFile } from "./read-file.ts";

/** The package's own manifest: beside `src`, and beside `dist` in what is shipped. */
const MANIFEST = new URL("../package.json", import.meta.url);

/** `cmcp --version`. @throws CmcpError `USAGE` for anything but `--json` after it */
export async function printVersion(args: readonly string[], { out }: Pick<Terminal, "out">): Promise<void> {
  const { values } = readArguments(args, { json: { type: "boolean", default: false } });
  const manifest = parseJson(untrusted(await readSmallFile(fileURLToPath(MANIFEST))));
  const version = isJsonObject(manifest) ? manifest["version"] : undefined;
  if (typeof version !== "string") throw new CmcpError("INTERNAL", "the package's manifest names no version");
  const node = process.versions.node;
  out.write(values.json ? `${JSON.stringify({ ok: true, version, node })}\n` : `cmcp ${version} (Node ${node})\n`);
}
