import { catalogHash, diffCatalogs } from "@cmcp/catalog";
import { readCatalogFile } from "@cmcp/launch/files";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { changeLines, changesJson } from "./print-changes.ts";
import { asciiJson } from "./print-findings.ts";

/** `cmcp catalog diff` */
export const catalogDiff: Command = {
  help: `Usage: cmcp catalog diff OLD NEW [--json]

Says what changed from one catalog to another: which tools, servers, resources and prompts were added or removed, and of each that
changed the values of its definition, of the trust in its server, of its labels, and others. Characters that are not
seen are shown by their code points. The order of entries does not matter.

  --json  one line: ok, old_hash, new_hash, changes [{section, name, change, values [{part, path, before, after}]}]

Exit codes: 0 compared, 10 a catalog cannot be read, 64 usage.
Example:    cmcp catalog diff catalog.json catalog.next.json
`,
  async run(args, { out }) {
    const { values, positional, second } = readArguments(
      args,
      { json: { type: "boolean", default: false } },
      "OLD",
      "NEW",
    );
    const old = await readCatalogFile(required(positional, "OLD"));
    const next = await readCatalogFile(required(second, "NEW"));
    const changes = diffCatalogs(old, next);
    const hashes = { old_hash: catalogHash(old), new_hash: catalogHash(next) };
    if (values.json) out.write(`${asciiJson({ ok: true, ...hashes, changes: changesJson(changes) })}\n`);
    else out.write(`from ${hashes.old_hash}\nto   ${hashes.new_hash}\n${changeLines(changes).join("\n")}\n`);
    return EXIT.ok;
  },
};
