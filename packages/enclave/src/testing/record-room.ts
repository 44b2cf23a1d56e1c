import { type Evidence } from "@cmcp/appraise/evidence";
import { collectSoftware } from "@cmcp/attestation";
import {
  encodeRecord,
  LogState,
  readRecord,
  snapshotOf,
  type Auditor,
  type AuditEntry,
  type Decided,
  type HandOver,
  type Receipt,
  type RecordKind,
} from "@cmcp/audit";
import { CmcpError, fromBase64Url, toBase64Url, toHex, untrusted } from "@cmcp/boundary";
import { EAT_PROFILES } from "@cmcp/claim";
import {
  appendLeaves,
  EMPTY_RANGE,
  formatCheckpoint,
  instanceKeyName,
  leafHash,
  rootOf,
  SIGNATURE_TYPE,
  signNote,
  verifierKey,
} from "@cmcp/log";
import { SessionTable, Vocabulary } from "@cmcp/session";
import type { ShownRecord } from "@cmcp/wire";
import { Caller } from "../access/caller.ts";
import type { SessionManifest } from "../access/manifests.ts";
import { Clock } from "../instance/clock.ts";
import { SigningKey } from "../instance/signing-key.ts";
import { Claims, type ClaimPorts } from "../record/claims.ts";
import { SessionCloser } from "../record/session-closer.ts";
import type { ScanFilter, ShownHead } from "../record/host-log.ts";
import type { Recorded } from "../record/journal.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { Recorder } from "../record/recorder.ts";
import type { RootFacts } from "../record/root-detail.ts";
import { Sessions } from "../record/sessions.ts";

/** A record as the host holds it. */
export interface StoredRecord {
  readonly index: number;
  readonly instance: string;
  readonly session: string;
  readonly kind: RecordKind;
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
}

/** A log as a hostile host keeps it: everything is signed as an enclave signs it, and a test may take any of it away. */
export class HostStore {
  records: StoredRecord[] = [];
  /** The newest note. */
  note = "";
  /** The leaves that were appended, whatever a test takes away. */
  readonly leaves: Uint8Array[] = [];
  /** The tree of those leaves. */
  range = EMPTY_RANGE;

  *scan({ from = 0, to = Infinity, session, kind }: ScanFilter): Generator<ShownRecord> {
    for (const { leaf, body, ...held } of this.records)
      if (
        held.index >= from &&
        held.index < to &&
        (session === undefined || held.session === session) &&
        (kind === undefined || held.kind === kind)
      )
        yield { index: held.index, kind: held.kind, leaf: untrusted(leaf), body: untrusted(body) };
  }

  /** Records of one instance. */
  ofInstance(instance: string): readonly StoredRecord[] {
    return this.records.filter((held) => held.instance === instance);
  }
}

/** An instance's journal into such a store; while it is behind nothing is acknowledged. */
export class TestJournal {
  readonly key = new SigningKey();
  readonly instance = toBase64Url(this.key.thumbprint);
  readonly store: HostStore;
  readonly origin: string;
  /** What the records amount to; a room that continues a log takes that log's. */
  state = new LogState();
  behind = false;
  #sequence = 0;

  constructor(store: HostStore, origin = ORIGIN) {
    this.store = store;
    this.origin = origin;
  }

  append(session: string, statement: Recorded, decided: Decided | null = null): Promise<Receipt | null> {
    const { instance, store } = this;
    const seq = this.#sequence;
    this.#sequence += 1;
    const { leaf, body } = encodeRecord(statement, { instance, seq }, decided);
    const record = readRecord(untrusted(leaf), untrusted(body));
    if (record !== null) this.state.apply(record, instance, store.range.size);
    const { range, paths } = appendLeaves(store.range, [leafHash(leaf)]);
    store.leaves.push(leafHash(leaf));
    store.range = range;
    const index = range.size - 1;
    store.records.push({ index, instance, session, kind: statement.kind, leaf, body });
    const { note } = this.signedHead();
    store.note = note;
    if (this.behind) return Promise.reject(this.#late());
    const path = (paths[0] ?? []).map(toBase64Url);
    return Promise.resolve(decided === null ? null : { ...decided, instance, seq, log: { index, path, note } });
  }

  /** Without witnesses. */
  async appendCosigned(session: string, statement: Recorded): Promise<void> {
    await this.append(session, statement);
  }

  get size(): number {
    return this.store.range.size;
  }

  get head(): { readonly size: number; readonly root: Uint8Array } {
    return { size: this.size, root: rootOf(this.store.range) };
  }

  signedHead(): { readonly size: number; readonly root: Uint8Array; readonly note: string } {
    const { range } = this.store;
    const root = rootOf(range);
    const publicKey = fromBase64Url(this.key.jwk.x) ?? new Uint8Array();
    const key = verifierKey(instanceKeyName(this.instance), SIGNATURE_TYPE.ed25519, publicKey);
    const text = formatCheckpoint({ origin: this.origin, size: range.size, root });
    return { size: range.size, root, note: signNote(text, key, (bytes) => this.key.sign(bytes)) };
  }

  /** Writes a snapshot, as the enclave does. */
  async writeSnapshot(): Promise<void> {
    const { range } = this.store;
    for (const statement of snapshotOf(this.state, range.size, range.hashes.map(toHex)))
      await this.append(this.instance, statement);
  }

  assertCaughtUp(): void {
    if (this.behind) throw this.#late();
  }

  assertWritable(): void {
    this.assertCaughtUp();
  }

  async *scan(filter: ScanFilter): AsyncGenerator<ShownRecord> {
    await Promise.resolve();
    yield* this.store.scan(filter);
  }

  readHead(): Promise<ShownHead | null> {
    const { note, records } = this.store;
    const size = Number(note.split("\n")[1]);
    const snapshot = records.findLast(({ kind }) => kind === "snapshot")?.index ?? null;
    return Promise.resolve(note === "" ? null : { size, note, snapshot });
  }

  readRange(size: number): Promise<Uint8Array[]> {
    return Promise.resolve([...appendLeaves(EMPTY_RANGE, this.store.leaves.slice(0, size)).range.hashes]);
  }

  readPath(index: number, size: number): Promise<Uint8Array[]> {
    return Promise.resolve([...(appendLeaves(EMPTY_RANGE, this.store.leaves.slice(0, size)).paths[index] ?? [])]);
  }

  #late(): CmcpError {
    return new CmcpError("AUDIT_STORE_UNAVAILABLE", "not now");
  }
}

/** The log of tests. */
export const ORIGIN = "log.example/0";

const digest = `sha256:${"a".repeat(64)}`;

/** The caller that a principal's bearer token makes. */
export const callerOf = (principalId: string): Caller => new Caller({ principalId, source: "bearer" }, null);

/** What a test may choose of a record room. */
export interface RecordRoomOptions {
  readonly maxPerPrincipal?: number;
  readonly max?: number;
  /** Who can open commitments. */
  readonly auditors?: readonly Auditor[];
  /** The agent manifest that a caller's sessions open under. */
  readonly manifestOf?: (caller: Caller) => SessionManifest | null;
}

type Facts = { -readonly [K in keyof RootFacts]: RootFacts[K] };

function policyFacts(instance: string): Facts {
  return {
    instance,
    policy: { hash: digest, version: "1" },
    catalogHash: digest,
    enforcementMode: "enforcing",
    launchDigest: digest,
    platform: "software-only",
    isolation: "none",
    history: { state: "complete" },
    sealKeys: "A".repeat(43),
    lostStore: null,
    auditors: [],
    approvers: null,
    provision: null,
    profile: null,
  };
}

function sessionsOf(
  clock: Clock,
  vocabulary: Vocabulary,
  { maxPerPrincipal = 10, max = 10, auditors = [], manifestOf = () => null }: RecordRoomOptions,
): Sessions {
  return new Sessions(
    (evicted) =>
      new SessionTable({ vocabulary, maxSessions: max, maxPerPrincipal, idleMs: 1e6, floorMs: 1e6, evicted }),
    { max, maxPerPrincipal },
    clock,
    { auditors, manifestOf },
  );
}

type OfInstance = Pick<ClaimPorts, "recorder" | "now"> & { readonly journal: TestJournal };

function claimsOf(parts: OfInstance, platform: { readonly broken: boolean }): Claims {
  const { key } = parts.journal;
  const evidenceOf = (): Promise<Evidence> =>
    platform.broken
      ? Promise.reject(new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "no device"))
      : Promise.resolve(collectSoftware(new Uint8Array(64), parts.now()));
  const settings = {
    eatProfile: EAT_PROFILES[0],
    mode: "enforcing",
    validitySeconds: 1000,
    isolation: "none",
    perCall: false,
  } as const;
  return new Claims({ ...parts, key, evidenceOf, settings });
}

/** Writes an instance's hand-over. */
async function begin(journal: TestJournal, time: Date, said: Partial<HandOver> = {}): Promise<void> {
  const { leaves } = journal.store;
  const { root } = appendLeaves(EMPTY_RANGE, leaves);
  const body: HandOver = {
    jwk: journal.key.jwk,
    gateway_version: "0",
    policy_hash: digest,
    catalog_hash: digest,
    launch_digest: digest,
    platform: "software-only",
    measurement: `sha256:${"0".repeat(64)}`,
    boot_time: time.toISOString(),
    history: { state: "complete" },
    predecessor: leaves.length === 0 ? null : { size: leaves.length, root: toHex(root), instance: null },
    ...said,
  };
  await journal.append(journal.instance, { kind: "hand-over", body });
}

/** The record room of one instance, whole but for the platform, over a store that a test may change. */
export function recordRoom(store: HostStore, choices: RecordRoomOptions = {}) {
  const journal = new TestJournal(store);
  const { instance, key } = journal;
  const clock = new Clock();
  const now = (): number => clock.now().getTime();
  const vocabulary = new Vocabulary();
  const sessions = sessionsOf(clock, vocabulary, choices);
  const facts = policyFacts(instance);
  const onBroken = (recorded: RecordedSession): void => sessions.scheduleClose(recorded);
  const recorder = new Recorder(journal, {
    instance,
    driftPolicy: "fail_closed",
    root: () => facts,
    onBroken,
    onFull: (recorded) => closing.retire(recorded),
  });
  const platform = { broken: false };
  const claims = claimsOf({ journal, recorder, now }, platform);
  const forgotten: string[] = [];
  const forget = ({ id }: { readonly id: string }): void => void forgotten.push(id);
  const closing: SessionCloser = new SessionCloser({
    sessions,
    recorder,
    claims,
    journal,
    policyHash: () => digest,
    forget,
  });
  return {
    journal,
    instance,
    key,
    sessions,
    recorder,
    claims,
    closing,
    facts,
    forgotten,
    platform,
    vocabulary,
    begin: (said?: Partial<HandOver>) => begin(journal, clock.now(), said),
  };
}

/** The records of a session that a host holds, by kind. */
export function ofSession(store: HostStore, session: string, kind: StoredRecord["kind"]): readonly StoredRecord[] {
  return store.records.filter((held) => held.session === session && held.kind === kind);
}

/** What an entry record says. */
export function entryIn({ leaf, body }: StoredRecord): AuditEntry | null {
  const record = readRecord(untrusted(leaf), untrusted(body));
  return record?.kind === "entry" ? record.body : null;
}
