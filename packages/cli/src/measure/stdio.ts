import { resolve } from "node:path";
import { toHex } from "@cmcp/boundary";
import { treeDigest } from "@cmcp/spawner/tree";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";

/** `cmcp measure stdio` */
export const measureStdio: Command = {
  help: `Usage: cmcp measure stdio PATH [--json]

Prints the digest of a stdio server's files as a catalog pins it: server.spawn.binary_digest. PATH is what stands
there as measure_target: the folder with everything the server is, or its only file.

Exit codes: 0 computed, 10 the files cannot be measured, 64 usage, 1 internal.
Example:    cmcp measure stdio /srv/mcp/server-memory
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, { json: { type: "boolean", default: false } }, "PATH");
    const path = resolve(required(positional, "PATH"));
    const digest = `sha256:${toHex(treeDigest(path))}`;
    out.write(
      values.json ? `${JSON.stringify({ ok: true, measure_target: path, binary_digest: digest })}\n` : `${digest}\n`,
    );
    return EXIT.ok;
  },
};
