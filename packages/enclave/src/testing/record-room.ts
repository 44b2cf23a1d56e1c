import { type Evidence } from "@cmcp/appraise/evidence";
import { collectSoftware } from "@cmcp/attestation";
import {
  readRecord,
  signTogether,
  unsignedRecord,
  type InstanceFacts,
  type JournalStatement,
  type Receipt,
  type ReceiptBody,
  type EncodedStatement,
} from "@cmcp/audit";
import { CmcpError, toBase64Url, untrusted, type Untrusted } from "@cmcp/boundary";
import { EAT_PROFILES } from "@cmcp/claim";
import { SessionTable, Vocabulary } from "@cmcp/session";
import { Caller } from "../access/caller.ts";
import { Clock } from "../instance/clock.ts";
import { SigningKey } from "../instance/signing-key.ts";
import { Claims, type ClaimPorts } from "../record/claims.ts";
import { SessionCloser } from "../record/session-closer.ts";
import type { ScanFilter } from "../record/journal.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { Recorder } from "../record/recorder.ts";
import type { RootFacts } from "../record/root-detail.ts";
import { Sessions } from "../record/sessions.ts";

/** A record as the host holds it. */
export interface StoredRecord {
  readonly instance: string;
  readonly session: string;
  readonly kind: JournalStatement["kind"];
  readonly bytes: Uint8Array;
}

/** What a hostile host keeps of several instances: everything is signed as an enclave signs it, and a test may take any of it away. */
export class HostStore {
  records: StoredRecord[] = [];

  *scan({ instance, session, kind }: ScanFilter): Generator<Untrusted<Uint8Array>> {
    for (const held of this.records)
      if (
        (instance === undefined || held.instance === instance) &&
        (session === undefined || held.session === session) &&
        (kind === undefined || held.kind === kind)
      )
        yield untrusted(held.bytes);
  }
}

/** An instance's journal into such a store; while it is behind nothing is acknowledged. */
export class TestJournal {
  readonly key = new SigningKey();
  readonly instance = toBase64Url(this.key.thumbprint);
  readonly store: HostStore;
  behind = false;
  #sequence = 0;

  constructor(store: HostStore) {
    this.store = store;
  }

  append(
    session: string,
    statement: JournalStatement | EncodedStatement,
    receipt: ReceiptBody | null = null,
  ): Promise<Receipt | null> {
    const record = unsignedRecord(statement, this.instance, this.#sequence);
    this.#sequence += 1;
    const [signed] = signTogether([{ record, receipt }], (bytes) => this.key.sign(bytes));
    if (signed === undefined) throw new Error("nothing was signed");
    this.store.records.push({ instance: this.instance, session, kind: statement.kind, bytes: signed.record });
    return this.behind ? Promise.reject(this.#late()) : Promise.resolve(signed.receipt);
  }

  assertCaughtUp(): void {
    if (this.behind) throw this.#late();
  }

  assertWritable(): void {
    this.assertCaughtUp();
  }

  async *scan(filter: ScanFilter): AsyncGenerator<Untrusted<Uint8Array>> {
    await Promise.resolve();
    yield* this.store.scan(filter);
  }

  #late(): CmcpError {
    return new CmcpError("AUDIT_STORE_UNAVAILABLE", "not now");
  }
}

const digest = `sha256:${"a".repeat(64)}`;

/** The caller that a principal's bearer token makes. */
export const callerOf = (principalId: string): Caller => new Caller({ principalId, source: "bearer" }, null);

/** What a test may choose of a record room. */
export interface RecordRoomOptions {
  readonly maxPerPrincipal?: number;
  readonly max?: number;
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
    provision: null,
  };
}

function sessionsOf(
  clock: Clock,
  vocabulary: Vocabulary,
  { maxPerPrincipal = 10, max = 10 }: RecordRoomOptions,
): Sessions {
  return new Sessions(
    (evicted) =>
      new SessionTable({ vocabulary, maxSessions: max, maxPerPrincipal, idleMs: 1e6, floorMs: 1e6, evicted }),
    { max, maxPerPrincipal },
    clock,
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
    catalogHash: digest,
    validitySeconds: 1000,
    isolation: "none",
    perCall: false,
  } as const;
  return new Claims({ ...parts, key, evidenceOf, settings });
}

/** Writes an instance's first record. */
async function begin(journal: TestJournal, time: Date, previous?: InstanceFacts["previous"]): Promise<void> {
  const body = {
    jwk: journal.key.jwk,
    gateway_version: "0",
    policy_hash: digest,
    catalog_hash: digest,
    boot_time: time.toISOString(),
    ...(previous === undefined ? {} : { previous }),
  };
  await journal.append(journal.instance, { kind: "instance", body });
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
    begin: (previous?: InstanceFacts["previous"]) => begin(journal, clock.now(), previous),
  };
}

/** The records of a session that a host holds, by kind. */
export function ofSession(store: HostStore, session: string, kind: StoredRecord["kind"]): readonly StoredRecord[] {
  return store.records.filter((held) => held.session === session && held.kind === kind);
}

/** What an entry record says. */
export function entryIn({ bytes }: StoredRecord): { readonly entry_type: string; readonly detail: unknown } | null {
  const record = readRecord(untrusted(bytes));
  return record?.kind === "entry" ? record.body.entry : null;
}
