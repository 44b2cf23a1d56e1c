import type { KeyObject } from "node:crypto";
import { hash } from "node:crypto";
import { jwkThumbprintText } from "@cmcp/attestation";
import {
  decodeRecord,
  entryHashInput,
  isAuthentic,
  publicKeyOf,
  type AuditEntry,
  type Intent,
  type JournalRecord,
  type Receipt,
} from "@cmcp/audit";
import { canonicalText, untrusted } from "@cmcp/boundary";
import type { KeptRecord } from "../host/store.ts";
import { SECRET } from "../server.ts";
import type { Find } from "./finding.ts";
import { MARK } from "./marks.ts";

type ClaimBody = Extract<JournalRecord, { kind: "claim" }>["body"];

/** What one instance signed. */
interface Instance {
  readonly key: KeyObject;
  /** Base64url of its signing key. */
  readonly x: string;
  next: number;
  readonly intents: Map<string, Intent>;
  readonly claims: ClaimBody[];
}

/** Holds every record an enclave sends to the rules of the journal, as it arrives and before the host does anything to it. */
export class RecordOracle {
  readonly instances = new Map<string, Instance>();
  /** Entries of every session, in order. */
  readonly sessions = new Map<string, AuditEntry[]>();
  /** `tool_call` entries by instance and call. */
  readonly calls = new Map<string, AuditEntry>();
  /** Intents the host said it holds, by tool. */
  readonly announced = new Map<string, number>();
  readonly #acknowledged = new Set<string>();
  readonly #find: Find;

  constructor(find: Find) {
    this.#find = find;
  }

  arrived(records: readonly KeptRecord[]): void {
    for (const record of records) {
      const text = Buffer.from(record.bytes).toString("latin1");
      if (text.includes(MARK) || text.includes(SECRET)) this.#find("cleartext", `a ${record.kind} holds a payload`);
      try {
        this.#take(record);
      } catch (thrown) {
        this.#find("record", `a ${record.kind} cannot be read: ${String(thrown)}`);
      }
    }
  }

  acknowledged(records: readonly KeptRecord[]): void {
    for (const { instance, seq, kind, bytes } of records) {
      const name = `${instance} ${seq}`;
      if (kind !== "intent" || this.#acknowledged.has(name)) continue;
      this.#acknowledged.add(name);
      const record = decodeRecord(untrusted(bytes));
      if (record.kind === "intent")
        this.announced.set(record.body.tool_name, (this.announced.get(record.body.tool_name) ?? 0) + 1);
    }
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

  #take({ instance: name, seq, bytes }: KeptRecord): void {
    const record = decodeRecord(untrusted(bytes));
    if (record.kind === "instance" && jwkThumbprintText(record.body.jwk) === name && !this.instances.has(name)) {
      const { jwk } = record.body;
      this.instances.set(name, { key: publicKeyOf(jwk), x: jwk.x, next: 0, intents: new Map(), claims: [] });
    }
    const instance = this.instances.get(name);
    if (instance === undefined) throw new Error("it is of an instance that did not begin");
    if (record.instance !== name || record.seq !== seq || seq !== instance.next) throw new Error("its number is wrong");
    if (!isAuthentic(record, instance.key)) throw new Error("it is not signed by its instance");
    instance.next += 1;
    if (record.kind === "intent") instance.intents.set(record.body.call_id, record.body);
    if (record.kind === "claim") this.#claim(instance, record.body);
    if (record.kind === "entry") this.#entry(name, instance, record.body.entry);
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
