import { toBase64 } from "@cmcp/boundary";
import { exportLog } from "@cmcp/host-proxy/store";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { writeError } from "../write-error.ts";
import { STORE_HELP, STORE_OPTIONS, withStore } from "./open-store.ts";

const OPTIONS = {
  ...STORE_OPTIONS,
  newest: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp log export` */
export const logExport: Command = {
  help: `Usage: cmcp log export --store FILE OUT [options]

Writes the gateway's log to a new folder: C2SP tlog-tiles, which other tools read, and the bodies of the records
beside them. cmcp log verify and cmcp verify --log read it. Where the log has witnesses, it ends with the newest head
that a quorum cosigned, and the checkpoint has the cosignatures. Without OUT/checkpoint it is not complete.

  OUT                      the folder, which must not exist
${STORE_HELP};
                           without it such bodies are left out
  --newest                 the log up to its newest record, whose checkpoint no witness may have cosigned yet
  --json                   one line of JSON: what was exported

Exit codes: 0 exported, 10 the store cannot be read or is not one log, 64 usage, 1 internal.
Example:    cmcp log export --store audit.db out/log
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "OUT");
    const folder = required(positional, "OUT");
    const { archive, newest, json } = values;
    const exported = await withStore(values, async (store) =>
      exportLog(store, folder, { archived: archive !== undefined, newest }).catch((thrown: unknown) => {
        throw writeError(folder, thrown);
      }),
    );
    const { origin, size, root, withoutBodies, cosigned, newer } = exported;
    if (json)
      out.write(
        `${JSON.stringify({ ok: true, path: folder, origin, size, root: toBase64(root), without_bodies: withoutBodies, cosigned, newer })}\n`,
      );
    else {
      out.write(`${folder}: ${size} records of ${origin}${cosigned ? ", cosigned" : ""}\n`);
      if (newer > 0)
        out.write(`${newer} newer records are left out: no quorum is known to have cosigned them (--newest)\n`);
      if (withoutBodies > 0) out.write(`bodies of the first ${withoutBodies} records are left out (--archive)\n`);
    }
    return EXIT.ok;
  },
};
