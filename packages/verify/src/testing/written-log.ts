/** A log as a gateway's instances write it one after the other, in memory. */
import {
  decidedBy,
  encodeRecord,
  LogState,
  snapshotOf,
  type AuditEntry,
  type HandOver,
  type JournalStatement,
  type Receipt,
} from "@cmcp/audit";
import { fromBase64Url, toBase64Url, toHex } from "@cmcp/boundary";
import { claimHash, type Claim } from "@cmcp/claim";
import {
  appendLeaves,
  EMPTY_RANGE,
  formatCheckpoint,
  instanceKeyName,
  leafHash,
  nodeHash,
  parseCheckpoint,
  parseNote,
  rootOf,
  SIGNATURE_TYPE,
  signNote,
  verifierKey,
  type CompactRange,
  type Tile,
} from "@cmcp/log";
import type { LogFiles } from "../log/shown-log.ts";
import { Instance } from "./instance.ts";
import { claimOf, entriesOf, recordOf, type SessionRecord } from "./session.ts";

export const ORIGIN = "gateway.example/0";
const DIGEST = `sha256:${"a".repeat(64)}`;

/** What a test changes of a record before it is stored. */
export interface Tampering {
  readonly header?: (header: Uint8Array) => Uint8Array;
  readonly body?: (body: Uint8Array) => Uint8Array;
  /** Another number of the record. */
  readonly seq?: number;
  /** Another instance than the one that writes. */
  readonly instance?: string;
}

/** A record as the host keeps it. */
export interface WrittenRecord {
  readonly session: string;
  readonly kind: JournalStatement["kind"];
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

/** Records under one note. */
export interface WrittenBatch {
  readonly first: number;
  readonly note: string;
  readonly records: readonly WrittenRecord[];
}

export class WrittenLog {
  readonly origin: string;
  instance = new Instance();
  /** The newest note. */
  note = "";
  range: CompactRange = EMPTY_RANGE;
  readonly records: WrittenRecord[] = [];
  #state = new LogState();
  #seq = 0;
  #handOver: HandOver | null = null;

  constructor(origin = ORIGIN) {
    this.origin = origin;
  }

  /** Takes records as the host is given them. */
  protected async keep(_batch: WrittenBatch): Promise<void> {
    await Promise.resolve();
  }

  /** Another instance takes the log over. */
  async begin(instance = new Instance(), said: Partial<HandOver> = {}): Promise<void> {
    const before = this.#handOver === null ? null : this.instance.name;
    const predecessor =
      before === null ? null : { size: this.range.size, root: toHex(rootOf(this.range)), instance: before };
    this.instance = instance;
    this.#seq = 0;
    this.#handOver = {
      jwk: instance.jwk,
      gateway_version: "0.1.0",
      policy_hash: DIGEST,
      catalog_hash: DIGEST,
      launch_digest: DIGEST,
      platform: "software-only",
      measurement: "none",
      boot_time: new Date(1_790_000_000_000).toISOString(),
      history: { state: "complete" },
      predecessor,
      ...said,
    };
    await this.append({ kind: "hand-over", body: this.#handOver });
  }

  /** Stores records together, under one note. @returns the receipts of decisions */
  async append(...statements: readonly JournalStatement[]): Promise<Receipt[]> {
    return await this.tampered(statements.map((statement) => ({ statement })));
  }

  async tampered(
    records: readonly { readonly statement: JournalStatement; readonly by?: Tampering }[],
  ): Promise<Receipt[]> {
    const first = this.range.size;
    const stored = records.map(({ statement, by = {} }, at) => this.#encoded(statement, by, first + at));
    const { range, root, paths } = appendLeaves(
      this.range,
      stored.map(({ header }) => leafHash(header)),
    );
    this.range = range;
    this.note = this.signed(range.size, root);
    this.records.push(...stored);
    await this.keep({ first, note: this.note, records: stored });
    return stored.flatMap(({ said }, at) =>
      said === null
        ? []
        : [{ ...said, log: { index: first + at, path: (paths[at] ?? []).map(toBase64Url), note: this.note } }],
    );
  }

  #encoded(
    statement: JournalStatement,
    { header, body, seq, instance = this.instance.name }: Tampering,
    index: number,
  ) {
    const entry = statement.kind === "entry" ? statement.body : null;
    const decided = entry?.entry_type !== "tool_call" ? null : decidedBy(entry, "plain");
    const place = { instance, seq: seq ?? this.#seq };
    this.#seq += 1;
    const encoded = encodeRecord(statement, place, decided);
    this.#state.apply(statement, instance, index);
    return {
      session: entry?.session_id ?? instance,
      kind: statement.kind,
      header: header?.(encoded.leaf) ?? encoded.leaf,
      body: body?.(encoded.body) ?? encoded.body,
      said: decided === null ? null : { ...decided, ...place },
    };
  }

  /** A head of the log, signed by the instance that writes. */
  signed(size: number, root: Uint8Array, { instance, origin }: Pick<WrittenLog, "instance" | "origin"> = this): string {
    const publicKey = fromBase64Url(instance.jwk.x) ?? new Uint8Array();
    const key = verifierKey(instanceKeyName(instance.name), SIGNATURE_TYPE.ed25519, publicKey);
    return signNote(formatCheckpoint({ origin, size, root }), key, instance.sign);
  }

  /** A session of the instance that writes: its entries, then its claim if it is closed. */
  async session(closed = true): Promise<SessionRecord> {
    const entries = entriesOf(this.instance, closed);
    const receipts: Receipt[] = [];
    // Some together and some alone, as calls come.
    for (let at = 0; at < entries.length; at += 1 + (at % 3))
      receipts.push(...(await this.append(...entries.slice(at, at + 1 + (at % 3)).map(entryStatement))));
    const claim = claimOf(this.instance, entries);
    if (closed) await this.append(claimStatement(claim, entries));
    return { ...recordOf(this.instance, entries), claim, receipts };
  }

  /** The log as files, with further signature lines on its checkpoint, at its size or as its note was then. */
  files(lines = "", note = this.note): LogFiles {
    const { records } = this;
    const parsed = parseNote(note + lines);
    const checkpoint = parseCheckpoint(parsed.text);
    const hashes = records.slice(0, checkpoint.size).map(({ header }) => leafHash(header));
    const of = <T>({ index, width }: Tile, all: readonly T[]): readonly T[] =>
      all.slice(index * 256, index * 256 + width);
    return {
      note: parsed,
      checkpoint,
      readTile: async (tile) => {
        let nodes: readonly Uint8Array[] = hashes;
        for (let height = 0; height < 8 * tile.level; height += 1)
          nodes = Array.from({ length: Math.floor(nodes.length / 2) }, (_, at) =>
            nodeHash(nodes[2 * at] ?? new Uint8Array(), nodes[2 * at + 1] ?? new Uint8Array()),
          );
        return await Promise.resolve(Buffer.concat(of(tile, nodes)));
      },
      readEntries: async (tile) => await Promise.resolve(of(tile, records).map(({ header }) => header)),
      readBodies: async function* (this: void, tile: Tile) {
        await Promise.resolve();
        yield* of(tile, records).map(({ body }) => body);
      },
    };
  }

  async snapshot(): Promise<void> {
    const parts = snapshotOf(this.#state, this.range.size, this.range.hashes.map(toHex));
    await this.append(...parts);
  }
}

export const entryStatement = (entry: AuditEntry): JournalStatement => ({ kind: "entry", body: entry });

export const claimStatement = (claim: Claim, [first]: readonly AuditEntry[]): JournalStatement => ({
  kind: "claim",
  body: {
    session_id: first?.session_id ?? "",
    sequence_number: 1,
    claim_hash: claimHash(claim),
    claim: JSON.parse(JSON.stringify(claim)) as Record<string, never>,
  },
});
