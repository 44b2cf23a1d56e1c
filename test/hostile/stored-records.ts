import { readRecord, type AuditEntry, type JournalRecord } from "@cmcp/audit";
import { untrusted } from "@cmcp/boundary";
import type { IndexedRecord, LogStore } from "@cmcp/host-proxy";

type Filter = Parameters<LogStore["scan"]>[0];

/** What a stored record says. */
export function readStored({ index, header, body }: IndexedRecord): JournalRecord {
  const record = readRecord(untrusted(header), untrusted(body));
  if (record === null) throw new Error(`the record at ${index} has no known form`);
  return record;
}

/** Records of a host's store, in the order of the log. */
export async function recordsIn(store: LogStore, filter: Filter = {}): Promise<IndexedRecord[]> {
  const records: IndexedRecord[] = [];
  for await (const piece of store.scan(filter)) records.push(...piece);
  return records;
}

/** Entries of a host's store, in the order of the log. */
export async function entriesIn(store: LogStore): Promise<AuditEntry[]> {
  const records = (await recordsIn(store, { kind: "entry" })).map(readStored);
  return records.flatMap((record) => (record.kind === "entry" ? [record.body] : []));
}

/** A host's store from which records are hidden, as the returned function says; what is appended goes to the store itself. */
export function hideRecords(store: LogStore, hides: (record: JournalRecord) => boolean): void {
  showOtherwise(store, (record) => (hides(readStored(record)) ? null : record));
}

/** Makes a host's store show records otherwise than they are: another one, or none where `show` says `null`. */
export function showOtherwise(store: LogStore, show: (record: IndexedRecord) => IndexedRecord | null): void {
  const scan = store.scan.bind(store);
  store.scan = async function* otherwise(filter) {
    for await (const found of scan(filter)) yield found.flatMap((record) => show(record) ?? []);
  };
}
