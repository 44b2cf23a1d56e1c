import { catalogHash } from "@cmcp/catalog";
import { readCatalogFile } from "@cmcp/launch/files";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";

/** `cmcp catalog hash` */
export const catalogHashCommand: Command = {
  help: `Usage: cmcp catalog hash FILE [--json]

Prints the hash of a tool catalog: what CMCP_CATALOG_HASH pins and a claim names.

Exit codes: 0 printed, 10 the catalog is not valid, 64 usage.
Example:    cmcp catalog hash examples/quickstart/catalog.json
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, { json: { type: "boolean", default: false } }, "FILE");
    const hash = catalogHash(await readCatalogFile(required(positional, "FILE")));
    out.write(values.json ? `${JSON.stringify({ ok: true, hash })}\n` : `${hash}\n`);
    return EXIT.ok;
  },
};
