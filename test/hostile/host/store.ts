import { CmcpError, examine, untrusted } from "@cmcp/boundary";
import { decodeRecords, type IncomingExchange, type Opening } from "@cmcp/wire";
import type { HostAct } from "../schedule/acts.ts";
import { flipped, rearranged, spliced, truncated } from "./doctored.ts";
import type { ArmedLies, Standstill } from "./lies.ts";

/** One record where the enclave put it, or where the host says that it put it. */
export interface KeptRecord {
  readonly instance: string;
  readonly seq: number;
  readonly session: string;
  readonly kind: string;
  readonly bytes: Uint8Array;
}

/** What the store tells the test. */
export interface StoreEvents {
  /** Something the enclave can be killed at. */
  readonly point: (name: string) => void;
  /** Records arrived that were not there before. */
  readonly arrived: (records: readonly KeptRecord[]) => void;
  /** The host says that it holds them. */
  readonly acknowledged: (records: readonly KeptRecord[]) => void;
  /** The enclave signed two records of one number. */
  readonly forked: (record: KeptRecord) => void;
  /** A scan is answered with these. */
  readonly shown: (filter: Extract<Opening, { t: "scan" }>, records: readonly Uint8Array[]) => void;
}

type AppendAct = Extract<HostAct, { kind: "append" }>;
type ScanAct = Extract<HostAct, { kind: "scan" }>;

const LATE_MS = 60;
const broken = (): CmcpError => new CmcpError("AUDIT_STORE_UNAVAILABLE", "the host's disk is full");
const sameNumber =
  ({ instance, seq }: KeptRecord) =>
  (other: KeptRecord): boolean =>
    other.instance === instance && other.seq === seq;

/** The audit store of a host that lies. It keeps what it was given beside what it says that it has. */
export class LyingStore {
  /** Every record as the enclave sent it first, by instance and number. */
  readonly received = new Map<string, KeptRecord[]>();
  /** What the host answers scans from. */
  kept: KeptRecord[] = [];
  readonly #lies: ArmedLies;
  readonly #standstill: Standstill;
  readonly #events: StoreEvents;

  constructor(lies: ArmedLies, standstill: Standstill, events: StoreEvents) {
    this.#lies = lies;
    this.#standstill = standstill;
    this.#events = events;
  }

  async append(exchange: IncomingExchange, opening: Extract<Opening, { t: "append" }>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const part of exchange.body) parts.push(Buffer.from(examine(part)));
    const records = decodeRecords(untrusted(Buffer.concat(parts))).map((record, index) => ({
      ...record,
      instance: opening.instance,
      seq: opening.seq + index,
    }));
    this.#receive(records);
    this.#events.point("append received");
    const lie = this.#lies.take("append");
    if (lie?.lie === "refuse") throw broken();
    if (lie?.lie === "stall") await this.#standstill.hold();
    if (lie?.lie === "late") await new Promise((resolve) => setTimeout(resolve, LATE_MS));
    this.#keep(lie === null ? records : this.#doctored(records, lie));
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
    const honest = this.select(filter).map(({ bytes }) => bytes);
    const records = lie === null ? honest : this.#shown(honest, lie);
    this.#events.shown(filter, records);
    const body = framed(records);
    await exchange.respond({ status: 200, headers: {} });
    if (body.length > 0) await exchange.write(lie?.lie === "truncate" ? truncated(body, lie.at) : body);
    await exchange.end();
    this.#events.point("scan answered");
  }

  /** Puts everything back as the enclave sent it. Returns how many records there are. */
  repair(): number {
    this.kept = [...this.received.values()].flat();
    return this.kept.length;
  }

  /** What is kept and matches, instances in the order in which they came, the records of each by number. */
  select(filter: Omit<Extract<Opening, { t: "scan" }>, "t">): KeptRecord[] {
    return this.kept.filter(
      ({ instance, session, kind }) =>
        (filter.instance === undefined || instance === filter.instance) &&
        (filter.session === undefined || session === filter.session) &&
        (filter.kind === undefined || kind === filter.kind),
    );
  }

  #receive(records: readonly KeptRecord[]): void {
    const fresh: KeptRecord[] = [];
    for (const record of records) {
      const known = this.received.get(record.instance) ?? [];
      this.received.set(record.instance, known);
      const before = known[record.seq];
      if (before === undefined) fresh.push(record);
      else if (Buffer.compare(before.bytes, record.bytes) !== 0) this.#events.forked(record);
      known[record.seq] = record;
    }
    if (fresh.length > 0) this.#events.arrived(fresh);
  }

  #keep(records: readonly KeptRecord[]): void {
    for (const record of records) if (!this.kept.some(sameNumber(record))) this.kept.push(record);
  }

  #doctored(records: readonly KeptRecord[], { lie, at }: AppendAct): readonly KeptRecord[] {
    const index = at % records.length;
    const change = (how: (record: KeptRecord) => Partial<KeptRecord>): readonly KeptRecord[] =>
      records.map((record, position) => (position === index ? { ...record, ...how(record) } : record));
    const other = this.kept[at % Math.max(1, this.kept.length)];
    switch (lie) {
      case "forget":
        return records.filter((_, position) => position !== index);
      case "twice":
        this.kept.push(...records.slice(index, index + 1));
        return records;
      case "reorder":
        this.kept.splice(Math.max(0, this.kept.length - 1), 0, ...records);
        return [];
      case "truncate":
        return change(({ bytes }) => ({ bytes: truncated(bytes, at) }));
      case "flip":
        return change(({ bytes }) => ({ bytes: flipped(bytes, at) }));
      case "splice":
        return change(({ bytes }) => ({ bytes: other === undefined ? bytes : spliced(bytes, other.bytes, at) }));
      case "foreign":
        return change(({ bytes }) => ({ bytes: other?.bytes ?? bytes }));
      case "elsewhere":
        return change(({ instance, session }) => ({
          instance: other?.instance ?? instance,
          session: other?.session ?? session,
          seq: -1 - this.kept.length,
        }));
      case "refuse":
      case "late":
      case "stall":
      case "no-answer":
        return records;
    }
  }

  #shown(honest: readonly Uint8Array[], { lie, at }: ScanAct): Uint8Array[] {
    const index = honest.length === 0 ? 0 : at % honest.length;
    const other = this.kept[(at >>> 3) % Math.max(1, this.kept.length)]?.bytes ?? Buffer.from("{}");
    const replaced = (how: (bytes: Uint8Array) => Uint8Array): Uint8Array[] =>
      honest.map((bytes, position) => (position === index ? how(bytes) : bytes));
    switch (lie) {
      case "drop":
      case "twice":
      case "reorder":
        return rearranged(honest, lie, at);
      case "empty":
        return [];
      case "flip":
        return replaced((bytes) => flipped(bytes, at));
      case "splice":
        return replaced((bytes) => spliced(bytes, other, at));
      case "foreign":
        return honest.length === 0 ? [other] : replaced(() => other);
      case "truncate":
      case "refuse":
      case "stall":
        return [...honest];
    }
  }
}

function framed(records: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    records.flatMap((record) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(record.length);
      return [length, record];
    }),
  );
}
