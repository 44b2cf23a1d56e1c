import { CmcpError } from "@cmcp/boundary";
import type { ArchivingStore } from "@cmcp/host-proxy/store";
import { HASH_BYTES, parseCheckpoint, parseNote } from "@cmcp/log/format";
import { OUTCOME_EXIT } from "@cmcp/verify";
import { readArguments } from "../arguments.ts";
import type { Command } from "../command.ts";
import { checkWholeLog, type WholeLog } from "./check-whole-log.ts";
import { HEAD_HELP, HEAD_OPTIONS, headExpectations, trustedKeyOf } from "./head-options.ts";
import { STORE_HELP, STORE_OPTIONS, withStore } from "./open-store.ts";
import { printLogVerdict } from "./print-log-verdict.ts";

const OPTIONS = {
  ...STORE_OPTIONS,
  ...HEAD_OPTIONS,
  "trusted-key": { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp log fsck` */
export const logFsck: Command = {
  help: `Usage: cmcp log fsck --store FILE [options]

Checks the gateway's audit store in place, as cmcp log verify checks an export of it, and the store's hash tiles.

${STORE_HELP};
                           without it such bodies are not looked at
  --trusted-key KEY        the key that must have signed the checkpoint: base64url of 32 bytes
${HEAD_HELP}
  --json                   the verdict as JSON; origin is "trusted key" or "not proven"

Exit codes: 0 accepted, 10 rejected, or the store cannot be read, 30 malformed, 64 usage, 1 internal.
Example:    cmcp log fsck --store audit.db
`,
  async run(args, terminal) {
    const { values } = readArguments(args, OPTIONS);
    const { archive, "trusted-key": key, json } = values;
    const expected = { ...trustedKeyOf(key), ...(await headExpectations(values)) };
    const verdict = await withStore(values, async (store) =>
      checkWholeLog(await wholeLogOf(store, archive !== undefined), expected),
    );
    printLogVerdict(verdict, json, terminal);
    return OUTCOME_EXIT[verdict.outcome];
  },
};

/** A store as it is now. @throws CmcpError `AUDIT_STORE_MISMATCH` for an empty one; `NOTE_MALFORMED` */
async function wholeLogOf(store: ArchivingStore, archived: boolean): Promise<WholeLog> {
  const head = await store.head();
  if (head === null) throw new CmcpError("AUDIT_STORE_MISMATCH", "the audit store holds no record");
  const note = parseNote(head.note);
  const bodiesFrom = archived ? 0 : await store.archivedBefore();
  return {
    note,
    checkpoint: parseCheckpoint(note.text),
    head: async () => Promise.resolve(head),
    tile: async (level, index) => store.tile(level, index),
    readTile: async ({ level, index, width }) => (await store.tile(level, index)).subarray(0, width * HASH_BYTES),
    async *scan({ to = head.size, bodies = true }) {
      const from = bodies ? Math.min(bodiesFrom, to) : to;
      if (from > 0) yield* store.scan({ to: from, bodies: false });
      if (from < to) yield* store.scan({ from, to });
    },
  };
}
