import { hash } from "node:crypto";
import { jwkThumbprintText } from "@cmcp/attestation";
import {
  entryHashInput,
  readRecord,
  type AuditEntry,
  type HandOver,
  type Intent,
  type JournalRecord,
  type Receipt,
} from "@cmcp/audit";
import { bytesEqual, canonicalText, fromBase64Url, toHex, untrusted } from "@cmcp/boundary";
import {
  appendLeaves,
  EMPTY_RANGE,
  instanceKeyName,
  isSignedBy,
  leafHash,
  parseCheckpoint,
  parseNote,
  rootOf,
  SIGNATURE_TYPE,
  verifierKey,
  type CompactRange,
} from "@cmcp/log";
import type { KeptHead, KeptRecord } from "../host/kept.ts";
import { SECRET } from "../server.ts";
import type { Find } from "./finding.ts";
import { MARK } from "./marks.ts";

type ClaimBody = Extract<JournalRecord, { kind: "claim" }>["body"];

/** What one instance wrote. */
interface Instance {
  /** Base64url of its signing key. */
  readonly x: string;
  readonly launchDigest: string;
  next: number;
  readonly intents: Map<string, Intent>;
  readonly claims: ClaimBody[];
}

/** Holds every record an enclave sends to the rules of the log, as it arrives and before the host does anything to it. */
export class RecordOracle {
  readonly instances = new Map<string, Instance>();
  /** Entries of every session, in order. */
  readonly sessions = new Map<string, AuditEntry[]>();
  /** `tool_call` entries by instance and call. */
  readonly calls = new Map<string, AuditEntry>();
  /** Intents the host said it holds, by tool. */
  readonly announced = new Map<string, number>();
  readonly #acknowledged = new Set<string>();
  /** Leaf hashes of the log. */
  #leaves: Uint8Array[] = [];
  #range: CompactRange = EMPTY_RANGE;
  /** The instance that writes, by its hand-over; `null` until it has begun. */
  #writer: string | null = null;
  /** When the last entry was written, in milliseconds since the epoch. */
  #time = 0;
  readonly #find: Find;

  constructor(find: Find) {
    this.#find = find;
  }

  arrived(records: readonly KeptRecord[]): void {
    for (const record of records) {
      const text = Buffer.concat([record.leaf, record.body]).toString("latin1");
      if (text.includes(MARK) || text.includes(SECRET)) this.#find("cleartext", `a ${record.kind} holds a payload`);
      try {
        this.#take(record);
      } catch (thrown) {
        this.#find("record", `a ${record.kind} cannot be read: ${String(thrown)}`);
      }
    }
  }

  /** A head that came with records: it is of the log that they end, and its writer signed it. */
  signed({ size, note: text }: KeptHead): void {
    try {
      const note = parseNote(text);
      const head = parseCheckpoint(note.text);
      const x = this.instances.get(this.#writer ?? "")?.x ?? "";
      const key = verifierKey(
        instanceKeyName(this.#writer ?? ""),
        SIGNATURE_TYPE.ed25519,
        fromBase64Url(x) ?? new Uint8Array(),
      );
      if (head.size !== size || size !== this.#range.size) throw new Error("it is of another size");
      if (!bytesEqual(head.root, rootOf(this.#range))) throw new Error("it is of another tree");
      if (!isSignedBy(note, key)) throw new Error("its writer did not sign it");
    } catch (thrown) {
      this.#find("record", `a head of ${size} records is wrong: ${String(thrown)}`);
    }
  }

  /** Another instance continues the log, of which the host keeps this many records. */
  continues(size: number): void {
    this.#leaves = this.#leaves.slice(0, size);
    this.#range = appendLeaves(EMPTY_RANGE, this.#leaves).range;
    this.#writer = null;
  }

  acknowledged(records: readonly KeptRecord[]): void {
    for (const { kind, leaf, body } of records) {
      const record = kind === "intent" ? readRecord(untrusted(leaf), untrusted(body)) : null;
      if (record?.kind !== "intent") continue;
      const name = `${record.instance} ${record.seq}`;
      if (this.#acknowledged.has(name)) continue;
      this.#acknowledged.add(name);
      this.announced.set(record.body.tool_name, (this.announced.get(record.body.tool_name) ?? 0) + 1);
    }
  }

  /** The instance that writes; `null` until it has begun. */
  get writing(): { readonly name: string; readonly launchDigest: string; readonly time: number } | null {
    const name = this.#writer;
    const instance = name === null ? undefined : this.instances.get(name);
    return name === null || instance === undefined
      ? null
      : { name, launchDigest: instance.launchDigest, time: this.#time };
  }

  /** The entry a receipt speaks of, `null` after a finding. */
  entryOf(receipt: Receipt): AuditEntry | null {
    const entry = this.sessions.get(receipt.session_id)?.[receipt.sequence_number];
    const stands =
      entry !== undefined &&
      entry.entry_hash === receipt.entry_hash &&
      entry.prev_entry_hash === receipt.prev_entry_hash &&
      entry.call_id === receipt.call_id &&
      entry.policy_decision === receipt.decision;
    if (!stands) this.#find("claim", `a receipt of ${receipt.call_id} speaks of no entry that was sent to the store`);
    return stands ? entry : null;
  }

  /** Calls of an instance that are announced and have no entry. */
  openIntents(instance: string): readonly Intent[] {
    return [...(this.instances.get(instance)?.intents.values() ?? [])].filter(
      ({ call_id: id }) => !this.calls.has(`${instance} ${id}`),
    );
  }

  #take({ index, session, kind, leaf, body }: KeptRecord): void {
    if (index !== this.#leaves.length) throw new Error(`it stands at ${index}, and the log has ${this.#leaves.length}`);
    const hashed = leafHash(leaf);
    const before = this.#range;
    this.#leaves.push(hashed);
    this.#range = appendLeaves(before, [hashed]).range;
    const record = readRecord(untrusted(leaf), untrusted(body));
    if (record?.kind !== kind) throw new Error("its leaf does not commit to what it is");
    if (sessionOf(record) !== session) throw new Error("it is stored for another session");
    const { instance: name, seq } = record;
    if (record.kind === "hand-over") this.#begin(name, record.body, before);
    const instance = this.instances.get(name);
    if (instance === undefined || name !== this.#writer) throw new Error("it is of an instance that does not write");
    if (seq !== instance.next) throw new Error("its number is wrong");
    instance.next += 1;
    if (record.kind === "intent") instance.intents.set(record.body.call_id, record.body);
    if (record.kind === "claim") this.#claim(instance, record.body);
    if (record.kind === "entry") this.#entry(name, instance, record.body);
  }

  /** An instance begins once, with its own key, and says which head it continues. */
  #begin(name: string, { jwk, predecessor, launch_digest: launchDigest }: HandOver, before: CompactRange): void {
    if (jwkThumbprintText(jwk) !== name || this.#writer !== null || this.instances.has(name))
      throw new Error("it is not how an instance begins");
    const continues =
      before.size === 0
        ? predecessor === null
        : predecessor?.size === before.size && predecessor.root === toHex(rootOf(before));
    if (!continues) throw new Error("it continues another head");
    this.#writer = name;
    this.instances.set(name, { x: jwk.x, launchDigest, next: 0, intents: new Map(), claims: [] });
  }

  #claim(instance: Instance, body: ClaimBody): void {
    if (body.claim_hash !== `sha256:${hash("sha256", Buffer.from(canonicalText(body.claim)))}`)
      this.#find("record", "a claim has another hash than its record says");
    if (body.sequence_number !== instance.claims.length + 1)
      this.#find("record", `claim ${body.sequence_number} of an instance comes after ${instance.claims.length}`);
    instance.claims.push(body);
  }

  #entry(name: string, instance: Instance, entry: AuditEntry): void {
    const entries = this.sessions.get(entry.session_id) ?? [];
    this.sessions.set(entry.session_id, entries);
    const last = entries.at(-1);
    const linked =
      entry.prev_entry_hash === (last?.entry_hash ?? "genesis") &&
      entry.sequence_number === entries.length &&
      (entry.entry_type === "session_start") === (last === undefined) &&
      last?.entry_type !== "session_end" &&
      Date.parse(entry.timestamp_utc) >= Date.parse(last?.timestamp_utc ?? entry.timestamp_utc) &&
      hash("sha256", entryHashInput(entry)) === entry.entry_hash;
    if (!linked) this.#find("record", `entry ${entry.sequence_number} does not follow in its chain`);
    entries.push(entry);
    this.#time = Date.parse(entry.timestamp_utc);
    if (entry.entry_type === "tool_call") this.#call(name, instance, entry, entries[0]);
  }

  #call(name: string, { intents }: Instance, entry: AuditEntry, root: AuditEntry | undefined): void {
    const call = `${name} ${entry.call_id}`;
    if (this.calls.has(call)) this.#find("record", `the call ${entry.call_id} has two entries`);
    this.calls.set(call, entry);
    const left = entry.policy_decision === "allow" || entry.policy_decision === "redact";
    if (left && !intents.has(entry.call_id ?? "") && root?.detail?.["recovered_instance"] === undefined)
      this.#find("record", `the call ${entry.call_id} was allowed and not announced`);
    if (left && entry.workflow_id !== "default")
      this.#find("forbidden", `a call was allowed under the workflow ${entry.workflow_id}`);
  }
}

/** The session that a record is of; its instance for a record of none. */
function sessionOf(record: JournalRecord): string {
  switch (record.kind) {
    case "intent":
    case "entry":
    case "claim":
    case "session-key":
    case "disclosure":
      return record.body.session_id;
    case "erasure":
      return record.body.statement.session_id;
    case "hand-over":
    case "provision":
    case "snapshot-part":
    case "snapshot":
      return record.instance;
  }
}
