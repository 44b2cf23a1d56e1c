import { generateKeyPairSync, sign } from "node:crypto";
import { jwkThumbprintText } from "@cmcp/attestation";
import { fromBase64Url } from "@cmcp/boundary";
import {
  formatCheckpoint,
  instanceKeyName,
  parseCheckpoint,
  parseNote,
  SIGNATURE_TYPE,
  signNote,
  verifierKey,
} from "@cmcp/log";
import type { HostAct } from "../schedule/acts.ts";
import { flipped, rearranged, truncated } from "./doctored.ts";
import { changedRecord, type KeptHead, type KeptRecord, type ShownLog } from "./kept.ts";

type Restart = Pick<Extract<HostAct, { kind: "restart" }>, "lie" | "at">;

/** What the host has of the log, and what of it a lie leaves alone. */
export interface LogToDoctor extends ShownLog {
  /** Every head of it, oldest first. */
  readonly heads: readonly KeptHead[];
  /** How many records at its beginning stay as they are, but where the whole log goes. */
  readonly from: number;
}

/** What the next enclave is to find of the log. */
export function doctoredLog(log: LogToDoctor, { lie, at }: Restart): ShownLog {
  const { records, head } = log;
  if (head === null) return log;
  switch (lie) {
    case "empty":
      return { records: [], head: null };
    case "rolled-back":
      return rolledBack(log, at);
    case "hidden": {
      const hidden = records[at % Math.max(1, records.length)]?.session;
      return { records: records.filter(({ session }) => session !== hidden), head };
    }
    case "no-snapshot":
      return { records, head, snapshot: null };
    case "other-snapshot":
      return { records, head, snapshot: at % head.size };
    case "changed-note":
      return { records, head: { ...head, note: Buffer.from(flipped(Buffer.from(head.note), at)).toString() } };
    case "own-note":
      return { records, head: { ...head, note: signedByHost(head, (origin) => origin) } };
    case "other-origin":
      return { records, head: { ...head, note: signedByHost(head, () => "elsewhere.example/0") } };
    case "longer":
      return { records: [...records, ...copyAt(records, at, head.size)], head: { ...head, size: head.size + 1 } };
    case "kept":
    case "flip":
    case "truncate":
    case "foreign":
    case "gap":
    case "reorder":
    case "twice":
    case "inserted":
      return { records: rearrangedLog(log, { lie, at }), head };
  }
}

/** An older head of this log, and the records under it: nothing of them contradicts itself. */
function rolledBack({ records, heads, from }: LogToDoctor, at: number): ShownLog {
  const older = heads.filter(({ size }) => size >= from);
  const head = older[at % (older.length + (from === 0 ? 1 : 0))] ?? null;
  return { records: records.filter(({ index }) => index < (head?.size ?? 0)), head };
}

type Rearrangement = "kept" | "flip" | "truncate" | "foreign" | "gap" | "reorder" | "twice" | "inserted";

function rearrangedLog(
  { records: all, from }: LogToDoctor,
  { lie, at }: { readonly lie: Rearrangement; readonly at: number },
): readonly KeptRecord[] {
  const records = all.slice(from);
  if (records.length === 0) return all;
  const place = at % records.length;
  const replaced = (how: (record: KeptRecord) => KeptRecord): KeptRecord[] =>
    records.map((record, position) => (position === place ? how(record) : record));
  // A host can number what it shows from the first record on, or leave each its number.
  const numbered = (some: readonly KeptRecord[]): KeptRecord[] =>
    at % 2 === 0
      ? [...some]
      : some.map((record, position) => ({ ...record, index: (records[0]?.index ?? 0) + position }));
  const doctored = (): readonly KeptRecord[] => {
    switch (lie) {
      case "kept":
        return records;
      case "flip":
        return replaced((record) => changedRecord(record, at, flipped));
      case "truncate":
        return replaced((record) => changedRecord(record, at, truncated));
      case "foreign": {
        const other = all[(at >>> 5) % all.length];
        return replaced((record) => ({
          ...record,
          leaf: other?.leaf ?? record.leaf,
          body: other?.body ?? record.body,
        }));
      }
      case "inserted":
        return numbered([...records.slice(0, place), ...copyAt(all, at >>> 5, place), ...records.slice(place, -1)]);
      case "gap":
        return numbered(rearranged(records, "drop", at));
      case "reorder":
      case "twice":
        return numbered(rearranged(records, lie, at));
    }
  };
  return [...all.slice(0, from), ...doctored()];
}

/** One of the records once more, at another index. */
function copyAt(records: readonly KeptRecord[], at: number, index: number): KeptRecord[] {
  const copied = records[at % Math.max(1, records.length)];
  return copied === undefined ? [] : [{ ...copied, index }];
}

/** The head of a log under a key of the host's own, which it calls an instance's. */
export function signedByHost({ note }: KeptHead, originOf: (origin: string) => string): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { x = "" } = privateKey.export({ format: "jwk" });
  const name = instanceKeyName(jwkThumbprintText({ kty: "OKP", crv: "Ed25519", x }));
  const key = verifierKey(name, SIGNATURE_TYPE.ed25519, fromBase64Url(x) ?? new Uint8Array());
  const head = parseCheckpoint(parseNote(note).text);
  return signNote(formatCheckpoint({ ...head, origin: originOf(head.origin) }), key, (bytes) =>
    sign(null, bytes, privateKey),
  );
}
