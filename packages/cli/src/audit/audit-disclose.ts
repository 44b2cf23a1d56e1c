import {
  auditorOf,
  commitmentTo,
  disclose,
  openPayloads,
  openSessionKey,
  readRecord,
  type AuditEntry,
  type JournalRecord,
  type KeptPayloads,
  type SessionKeyRecord,
} from "@cmcp/audit";
import { COMMITTED_FIELDS, commitmentOf, type DisclosedCall } from "@cmcp/audit/schema";
import { CmcpError, fromHex, untrusted } from "@cmcp/boundary";
import type { KemKey } from "@cmcp/seal";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { createFile } from "../create-file.ts";
import { readAuditorKey } from "../key/key-file.ts";
import { ExportedLog } from "../log/exported-log.ts";
import { writeError } from "../write-error.ts";

const OPTIONS = {
  session: { type: "string" },
  call: { type: "string" },
  key: { type: "string" },
  out: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp audit disclose` */
export const auditDisclose: Command = {
  help: `Usage: cmcp audit disclose LOG --session ID --call ID --key FILE --out FILE [--json]

Opens one call of an exported log with an auditor's key, and writes what was sent and got, and what Cedar was asked,
with the salts of this call alone. Whoever gets the file can hold it to the call's entry (cmcp audit verify --disclosure),
and can open no other call with it. Nothing of the log is verified but what is opened: cmcp log verify does that.

  LOG           the folder that cmcp log export wrote
  --session ID  the session, as the receipt names it
  --call ID     the call, as the receipt names it
  --key FILE    the auditor's private key, as cmcp key new --auditor writes it
  --out FILE    the file to write, readable by you alone; it must not exist
  --json        one line: ok, path, fields

Exit codes: 0 written, 10 the log has no such call, or the key does not open it, 30 malformed, 64 usage, 1 internal.
Example:    cmcp audit disclose out/log --session "$SESSION" --call "$CALL" --key auditor.pem --out call.json
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "LOG");
    const [folder, path] = [required(positional, "LOG"), required(values.out, "--out")];
    const key = await readAuditorKey(required(values.key, "--key"));
    const wanted = { session: required(values.session, "--session"), call: required(values.call, "--call") };
    const disclosed = openCall(await findCall(await ExportedLog.open(folder), wanted), key);
    await createFile(path, `${JSON.stringify(disclosed)}\n`, 0o600).catch((thrown: unknown) => {
      throw writeError(path, thrown);
    });
    const fields = Object.keys(disclosed.fields);
    out.write(
      values.json ? `${JSON.stringify({ ok: true, path, fields })}\n` : `wrote ${path}: ${fields.join(", ")}\n`,
    );
    return EXIT.ok;
  },
};

/** What a log has of a call. */
interface FoundCall {
  readonly key: SessionKeyRecord | null;
  readonly payloads: KeptPayloads | null;
  readonly entry: AuditEntry | null;
  /** Whether the log records that the session's key is erased. */
  readonly erased: boolean;
}

async function findCall(
  log: ExportedLog,
  { session, call }: { readonly session: string; readonly call: string },
): Promise<FoundCall> {
  let entry: AuditEntry | null = null;
  let payloads: KeptPayloads | null = null;
  for await (const record of recordsOf(log))
    if (record.kind === "disclosure" && record.body.call_id === call) payloads = record.body;
    else if (record.kind !== "entry" || record.body.entry_type !== "tool_call") continue;
    else if (record.body.session_id === session && record.body.call_id === call) entry = record.body;
  // A call that ran while an operator reset its session has its entry in the successor, and is kept for the one it began in.
  const origin = payloads?.session_id ?? session;
  let key: SessionKeyRecord | null = null;
  let erased = false;
  for await (const record of recordsOf(log))
    if (record.kind === "session-key" && record.body.session_id === origin) key = record.body;
    else if (record.kind === "erasure" && record.body.statement.session_id === origin) erased = true;
  return { key, payloads, entry, erased };
}

async function* recordsOf(log: ExportedLog): AsyncGenerator<JournalRecord, void, void> {
  for await (const piece of log.scan({}))
    for (const { header, body } of piece) {
      const record = body.length === 0 ? null : readRecord(untrusted(header), untrusted(body));
      if (record !== null) yield record;
    }
}

/** @throws CmcpError `DISCLOSURE_INVALID` for a call that is not there, or that the key does not open */
function openCall({ key: sealed, payloads, entry, erased }: FoundCall, privateKey: KemKey): DisclosedCall {
  if (entry === null) throw refused("the log has no entry of this call in this session");
  if (payloads === null) throw refused("the log keeps nothing of this call for auditors");
  if (sealed === null && erased) throw refused("the session's key was erased, as the log records");
  if (sealed === null) throw refused("the log has no key of this session: no auditor was named, or it was erased");
  const key = openSessionKey(sealed, privateKey);
  if (key === null)
    throw refused(`the session's key is not sealed to this auditor, ${auditorOf(privateKey.publicKey).id}`);
  const texts = openPayloads(key, payloads);
  if (texts === null) throw refused("what is kept of the call does not open under the session's key");
  const disclosed = disclose(key, { ...payloads, session_id: entry.session_id }, entry.sequence_number, texts);
  for (const field of COMMITTED_FIELDS) {
    const shown = disclosed.fields[field];
    if (shown === undefined) continue;
    if (commitmentTo(field, fromHex(shown.salt) ?? new Uint8Array(), shown.text) !== commitmentOf(entry, field))
      throw refused(`what is kept of the call's ${field} is not what its entry commits to`);
  }
  return disclosed;
}

function refused(why: string): CmcpError {
  return new CmcpError("DISCLOSURE_INVALID", why);
}
