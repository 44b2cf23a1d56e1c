import { CmcpError, examine, untrusted } from "@cmcp/boundary";
import { SqliteStore } from "@cmcp/host-proxy";
import { Prover, sha256 } from "@cmcp/log";
import { decodeBatch, encodeScanned, type IncomingExchange, type Opening } from "@cmcp/wire";
import type { HostAct } from "../schedule/acts.ts";
import { flipped, rearranged, spliced, truncated } from "./doctored.ts";
import { changedRecord, type KeptHead, type KeptRecord, type ShownLog } from "./kept.ts";
import type { ArmedLies, Standstill } from "./lies.ts";

/** What the store tells the test. */
export interface StoreEvents {
  /** Something the enclave can be killed at. */
  readonly point: (name: string) => void;
  /** Records arrived that were not there before, under this head. */
  readonly arrived: (records: readonly KeptRecord[], head: KeptHead) => void;
  /** The host says that it holds them. */
  readonly acknowledged: (records: readonly KeptRecord[]) => void;
  /** The enclave sent another record for an index that it had sent, or left one out. */
  readonly forked: (first: number) => void;
  /** The head was answered with this. */
  readonly headShown: (head: KeptHead | null) => void;
  /** A scan is answered with these. */
  readonly shown: (filter: Extract<Opening, { t: "scan" }>, records: readonly KeptRecord[]) => void;
}

type AppendAct = Extract<HostAct, { kind: "append" }>;
type ScanAct = Extract<HostAct, { kind: "scan" }>;
type ProveAct = Extract<HostAct, { kind: "prove" }>;
type Filter = Omit<Extract<Opening, { t: "scan" }>, "t">;

const LATE_MS = 60;
/** Beyond every index that a log of a test has. */
const ELSEWHERE = 2 ** 40;
const broken = (): CmcpError => new CmcpError("AUDIT_STORE_UNAVAILABLE", "the host's disk is full");

/** The audit store of a host that lies. It keeps what it was given beside what it says that it has. */
export class LyingStore {
  /** Every record as the enclave sent it, by index. */
  readonly received: KeptRecord[] = [];
  /** The heads that were stored, oldest first. */
  readonly heads: KeptHead[] = [];
  /** What the host answers scans from. */
  kept: KeptRecord[] = [];
  #head: KeptHead | null = null;
  /** Index of what the host calls the newest snapshot; `undefined` for the one that is. */
  #snapshot: number | null | undefined = undefined;
  /** The log as it is, from which paths are proven. */
  #log = new SqliteStore(null, { durable: false });
  /** Counts enclaves: what an earlier one sent and is still on its way is lost. */
  #enclave = 0;
  readonly #lies: ArmedLies;
  readonly #standstill: Standstill;
  readonly #events: StoreEvents;

  constructor(lies: ArmedLies, standstill: Standstill, events: StoreEvents) {
    this.#lies = lies;
    this.#standstill = standstill;
    this.#events = events;
  }

  /** What the next enclave finds is what the host kept. */
  get log(): ShownLog {
    return { records: this.kept, head: this.#head, snapshot: this.#snapshot };
  }

  /** Another enclave starts, over the log as the host shows it. What was received behind its head is gone. */
  async begin({ records, head, snapshot }: ShownLog): Promise<void> {
    this.#enclave += 1;
    this.kept = [...records];
    this.#head = head;
    this.#snapshot = snapshot;
    const size = head?.size ?? 0;
    if (this.received.length <= size) return;
    this.received.length = size;
    const batches = this.heads.filter((each) => each.size <= size);
    this.heads.splice(0, this.heads.length, ...batches);
    await this.#log.close();
    this.#log = new SqliteStore(null, { durable: false });
    let first = 0;
    for (const { size: end, note } of batches) {
      if (end > first) await this.#store(first, note, this.received.slice(first, end));
      first = Math.max(first, end);
    }
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  async append(exchange: IncomingExchange, { first }: Extract<Opening, { t: "append" }>): Promise<void> {
    const enclave = this.#enclave;
    const parts: Uint8Array[] = [];
    for await (const part of exchange.body) parts.push(Buffer.from(examine(part)));
    const { note, records: sent } = decodeBatch(untrusted(Buffer.concat(parts)));
    const records = sent.map((record, place): KeptRecord => ({ ...record, index: first + place }));
    const head = { size: first + records.length, note };
    const current = (): void => {
      if (enclave !== this.#enclave) throw broken();
    };
    current();
    await this.#receive(first, head, records);
    this.#events.point("append received");
    const lie = this.#lies.take("append");
    if (lie?.lie === "refuse") throw broken();
    if (lie?.lie === "stall") await this.#standstill.hold();
    if (lie?.lie === "late") await new Promise((resolve) => setTimeout(resolve, LATE_MS));
    current();
    this.#keep(lie === null ? records : this.#doctored(records, lie));
    this.#head = head;
    this.heads.push(head);
    this.#events.point("append stored");
    if (lie?.lie === "no-answer") throw broken();
    this.#events.acknowledged(records);
    await exchange.respond({ status: 200, headers: {} });
    await exchange.end();
    this.#events.point("append answered");
  }

  async scan(exchange: IncomingExchange, filter: Extract<Opening, { t: "scan" }>): Promise<void> {
    this.#events.point("scan asked for");
    const lie = this.#lies.take("scan");
    if (lie?.lie === "refuse") throw broken();
    if (lie?.lie === "stall") await this.#standstill.hold();
    const honest = this.select(filter);
    const records = lie === null ? honest : this.#shown(honest, lie);
    this.#events.shown(filter, records);
    const body = encodeScanned(records);
    await answer(exchange, lie?.lie === "truncate" ? truncated(body, lie.at) : body);
    this.#events.point("scan answered");
  }

  async head(exchange: IncomingExchange): Promise<void> {
    this.#events.headShown(this.#head);
    const { size, note } = this.#head ?? { size: 0, note: "" };
    const newest = this.kept.findLast(({ kind, index }) => kind === "snapshot" && index < size)?.index ?? null;
    const snapshot = this.#snapshot === undefined ? newest : this.#snapshot;
    await answer(exchange, Buffer.from(JSON.stringify({ size, note, snapshot })));
  }

  async range(exchange: IncomingExchange, { size }: Extract<Opening, { t: "range" }>): Promise<void> {
    await answer(exchange, Buffer.concat(await this.#prover(size).range()));
  }

  async prove(exchange: IncomingExchange, { index, size }: Extract<Opening, { t: "prove" }>): Promise<void> {
    const lie = this.#lies.take("prove");
    if (lie?.lie === "refuse") throw broken();
    if (lie?.lie === "stall") await this.#standstill.hold();
    const path = await this.#prover(size).inclusion(lie?.lie === "other" ? lie.at % size : index);
    await answer(exchange, lie === null ? Buffer.concat(path) : doctoredPath(path, lie));
  }

  /** Puts everything back as the enclave sent it. Returns how many records there are. */
  repair(): number {
    this.kept = [...this.received];
    this.#snapshot = undefined;
    return this.kept.length;
  }

  /** What is kept and matches, in the order in which it is kept. */
  select({ from = 0, to = Number.POSITIVE_INFINITY, session, kind }: Filter): KeptRecord[] {
    return this.kept.filter(
      (record) =>
        record.index >= from &&
        record.index < to &&
        (session === undefined || record.session === session) &&
        (kind === undefined || record.kind === kind),
    );
  }

  #prover(size: number): Prover {
    return new Prover(size, ({ level, index }) => this.#log.tile(level, index), sha256);
  }

  async #store(first: number, note: string, records: readonly KeptRecord[]): Promise<void> {
    await this.#log.append({
      first,
      note,
      records: records.map(({ session, kind, leaf, body }) => ({ session, kind, header: leaf, body })),
    });
  }

  async #receive(first: number, head: KeptHead, records: readonly KeptRecord[]): Promise<void> {
    const fresh = records.filter(({ index }) => index >= this.received.length);
    try {
      await this.#store(first, head.note, records);
    } catch (thrown) {
      this.#events.forked(first);
      throw thrown;
    }
    this.received.push(...fresh);
    if (fresh.length > 0) this.#events.arrived(fresh, head);
  }

  #keep(records: readonly KeptRecord[]): void {
    for (const record of records) if (!this.kept.some(({ index }) => index === record.index)) this.kept.push(record);
  }

  #doctored(records: readonly KeptRecord[], { lie, at }: AppendAct): readonly KeptRecord[] {
    const place = at % records.length;
    const change = (how: (record: KeptRecord) => Partial<KeptRecord>): readonly KeptRecord[] =>
      records.map((record, position) => (position === place ? { ...record, ...how(record) } : record));
    const other = this.kept[at % Math.max(1, this.kept.length)];
    switch (lie) {
      case "forget":
        return records.filter((_, position) => position !== place);
      case "twice":
        this.kept.push(...records.slice(place, place + 1));
        return records;
      case "reorder":
        this.kept.splice(Math.max(0, this.kept.length - 1), 0, ...records);
        return [];
      case "truncate":
        return change((record) => changedRecord(record, at, truncated));
      case "flip":
        return change((record) => changedRecord(record, at, flipped));
      case "splice":
        return change((record) => (other === undefined ? record : splicedRecord(record, other, at)));
      case "foreign":
        return change(({ leaf, body }) => ({ leaf: other?.leaf ?? leaf, body: other?.body ?? body }));
      case "elsewhere":
        return change(({ session }) => ({ session: other?.session ?? session, index: ELSEWHERE + this.kept.length }));
      case "refuse":
      case "late":
      case "stall":
      case "no-answer":
        return records;
    }
  }

  #shown(honest: readonly KeptRecord[], { lie, at }: ScanAct): KeptRecord[] {
    const place = honest.length === 0 ? 0 : at % honest.length;
    const other = this.kept[(at >>> 3) % Math.max(1, this.kept.length)];
    const replaced = (how: (record: KeptRecord) => KeptRecord): KeptRecord[] =>
      honest.map((record, position) => (position === place ? how(record) : record));
    switch (lie) {
      case "drop":
      case "twice":
      case "reorder":
        return rearranged(honest, lie, at);
      case "empty":
        return [];
      case "flip":
        return replaced((record) => changedRecord(record, at, flipped));
      case "splice":
        return replaced((record) => (other === undefined ? record : splicedRecord(record, other, at)));
      case "moved":
        return replaced((record) => ({ ...record, index: other?.index ?? 0 }));
      case "foreign":
        return other === undefined ? [] : honest.length === 0 ? [other] : replaced(() => other);
      case "truncate":
      case "refuse":
      case "stall":
        return [...honest];
    }
  }
}

async function answer(exchange: IncomingExchange, bytes: Uint8Array): Promise<void> {
  await exchange.respond({ status: 200, headers: {} });
  if (bytes.length > 0) await exchange.write(bytes);
  await exchange.end();
}

function splicedRecord(record: KeptRecord, other: KeptRecord, at: number): KeptRecord {
  return { ...record, leaf: spliced(record.leaf, other.leaf, at), body: spliced(record.body, other.body, at) };
}

function doctoredPath(path: readonly Uint8Array[], { lie, at }: ProveAct): Uint8Array {
  const bytes = Buffer.concat(path);
  switch (lie) {
    case "flip":
      return bytes.length === 0 ? Buffer.alloc(32) : flipped(bytes, at);
    case "truncate":
      return truncated(bytes, at);
    case "longer":
      return Buffer.concat([bytes, Buffer.alloc(32)]);
    case "reorder":
      return Buffer.concat(rearranged(path, "reorder", at));
    case "other":
    case "refuse":
    case "stall":
      return bytes;
  }
}
