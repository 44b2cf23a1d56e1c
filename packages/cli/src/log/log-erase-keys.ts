import { readLeafFacts, readRecord } from "@cmcp/audit";
import { CmcpError, untrusted } from "@cmcp/boundary";
import type { ArchivingStore } from "@cmcp/host-proxy/store";
import { readArguments } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { ExportedLog, type ExportedRecord } from "./exported-log.ts";
import { STORE_HELP, STORE_OPTIONS, withStore } from "./open-store.ts";

const OPTIONS = {
  ...STORE_OPTIONS,
  log: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp log erase-keys` */
export const logEraseKeys: Command = {
  help: `Usage: cmcp log erase-keys --store FILE [options]

Erases from an audit store the sessions' keys for auditors whose erasure the log records (cmcp session erase-key).
Nobody opens the payloads of such a session from this store again. All that the log proves stays proven. Run it over
each copy of the store too. Copies that auditors have, and old pages of a database, are beyond it.

${STORE_HELP};
                           a key in an archived file cannot be erased without it
  --log FOLDER             an exported log whose erasures count too, for a copy that is older than they are
  --json                   one line of JSON: ok, sessions, erased

Exit codes: 0 erased, 10 the store cannot be read or written, or others read it: run it again, 64 usage, 1 internal.
Example:    cmcp log erase-keys --store audit.db --archive archive
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const { log, json } = values;
    const done = await withStore(values, async (store) => {
      const sessions = await erasedSessions(store.scan({ kind: "erasure" }));
      if (log !== undefined)
        for (const session of await erasedSessions((await ExportedLog.open(log)).scan({}))) sessions.add(session);
      let erased = 0;
      for (const session of sessions) erased += await eraseKeys(store, session);
      return { sessions: sessions.size, erased };
    });
    out.write(
      json
        ? `${JSON.stringify({ ok: true, ...done })}\n`
        : `${done.erased} keys erased; the log records erasures of ${done.sessions} sessions\n`,
    );
    return EXIT.ok;
  },
};

/** The sessions whose keys records say are erased. @throws CmcpError `AUDIT_STORE_MISMATCH` for an erasure without its body */
async function erasedSessions(pieces: AsyncIterable<readonly ExportedRecord[]>): Promise<Set<string>> {
  const sessions = new Set<string>();
  for await (const piece of pieces)
    for (const { index, header, body } of piece) {
      const record = body.length === 0 ? null : readRecord(untrusted(header), untrusted(body));
      if (record?.kind === "erasure") sessions.add(record.body.statement.session_id);
      else if (record === null && readLeafFacts(untrusted(header))?.kind === "erasure")
        throw new CmcpError("AUDIT_STORE_MISMATCH", `record ${index}: an erasure without the body that its leaf names`);
    }
  return sessions;
}

/** @returns how many keys of the session there were */
async function eraseKeys(store: ArchivingStore, session: string): Promise<number> {
  const indexes: number[] = [];
  for await (const piece of store.scan({ session, kind: "session-key", bodies: false }))
    indexes.push(...piece.map(({ index }) => index));
  let erased = 0;
  for (const index of indexes) if (await store.erase(index)) erased += 1;
  return erased;
}
