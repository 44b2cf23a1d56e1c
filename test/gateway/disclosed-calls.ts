import { disclose, openPayloads, openSessionKey, readRecord, type JournalRecord } from "@cmcp/audit";
import type { DisclosedCall } from "@cmcp/audit/schema";
import { untrusted } from "@cmcp/boundary";
import { openExisting } from "@cmcp/host-proxy/store";
import type { KemKey } from "@cmcp/seal";

/** The calls of a session that an auditor opens in the store of a gateway. */
export async function disclosedCalls(path: string, session: string, key: KemKey): Promise<readonly DisclosedCall[]> {
  const records = await recordsOf(path, session);
  const sealed = records.find(({ kind }) => kind === "session-key");
  const sessionKey = sealed?.kind === "session-key" ? openSessionKey(sealed.body, key) : null;
  if (sessionKey === null) return [];
  return records.flatMap((record) => {
    if (record.kind !== "disclosure") return [];
    const texts = openPayloads(sessionKey, record.body);
    return texts === null ? [] : [disclose(sessionKey, record.body, 1, texts)];
  });
}

async function recordsOf(path: string, session: string): Promise<readonly JournalRecord[]> {
  const store = await openExisting({ path });
  try {
    const records: JournalRecord[] = [];
    for await (const piece of store.scan({ session }))
      for (const { header, body } of piece) {
        const record = readRecord(untrusted(header), untrusted(body));
        if (record !== null) records.push(record);
      }
    return records;
  } finally {
    await store.close();
  }
}
