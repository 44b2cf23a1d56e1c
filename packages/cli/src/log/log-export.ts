import { toBase64 } from "@cmcp/boundary";
import { exportLog } from "@cmcp/host-proxy/store";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readSmallFile } from "../read-file.ts";
import { writeError } from "../write-error.ts";
import { STORE_HELP, STORE_OPTIONS, withStore } from "./open-store.ts";

const OPTIONS = {
  ...STORE_OPTIONS,
  signatures: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp log export` */
export const logExport: Command = {
  help: `Usage: cmcp log export --store FILE OUT [options]

Writes the gateway's log as it is now to a new folder: C2SP tlog-tiles, which other tools read, and the bodies of
the records beside them. cmcp log verify and cmcp verify --log read it. Without OUT/checkpoint it is not complete.

  OUT                      the folder, which must not exist
${STORE_HELP};
                           without it such bodies are left out
  --signatures FILE        signature lines that others made for the newest checkpoint: the log's key, witnesses
  --json                   one line of JSON: what was exported

Exit codes: 0 exported, 10 the store cannot be read or is not one log, 64 usage, 1 internal.
Example:    cmcp log export --store audit.db out/log
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "OUT");
    const folder = required(positional, "OUT");
    const { archive, signatures, json } = values;
    const lines = signatures === undefined ? "" : new TextDecoder().decode(await readSmallFile(signatures));
    const { origin, size, root, withoutBodies } = await withStore(values, async (store) =>
      exportLog(store, folder, { archived: archive !== undefined, signatures: lines }).catch((thrown: unknown) => {
        throw writeError(folder, thrown);
      }),
    );
    if (json)
      out.write(
        `${JSON.stringify({ ok: true, path: folder, origin, size, root: toBase64(root), without_bodies: withoutBodies })}\n`,
      );
    else {
      out.write(`${folder}: ${size} records of ${origin}\n`);
      if (withoutBodies > 0) out.write(`bodies of the first ${withoutBodies} records are left out (--archive)\n`);
    }
    return EXIT.ok;
  },
};
