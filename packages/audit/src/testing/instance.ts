import { createHash, createPrivateKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { canonicalBytes, fromBase64Url, toBase64Url, toHex, untrusted, type Untrusted } from "@cmcp/boundary";
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
  type CompactRange,
} from "@cmcp/log";
import { SessionChain, type EntryFields } from "../chain.ts";
import type { AuditEntry } from "../entry.ts";
import type { HandOver, SigningJwk } from "../hand-over.ts";
import { encodeRecord, type Intent, type JournalStatement } from "../journal.ts";
import type { RecordKind } from "../leaf.ts";
import { LogState } from "../log-state.ts";
import { decidedBy, type Receipt, type ReceiptBody } from "../receipt.ts";
import { snapshotOf } from "../write-snapshot.ts";

/** A policy hash of the right form. */
export const POLICY = `sha256:${"a".repeat(64)}`;
/** A catalog hash of the right form. */
export const CATALOG = `sha256:${"b".repeat(64)}`;
/** The digest of a launch document. */
export const LAUNCH = `sha256:${"c".repeat(64)}`;
/** The log that instances of tests write. */
export const ORIGIN = "log.example/0";

/** RFC 7638 thumbprint, base64url. */
export function thumbprint({ kty, crv, x }: SigningJwk): string {
  return toBase64Url(createHash("sha256").update(canonicalBytes({ crv, kty, x })).digest());
}

/** One record as it was written, with what it says. */
export interface Written {
  readonly session: string;
  readonly kind: RecordKind;
  readonly leaf: Uint8Array<ArrayBuffer>;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly statement: JournalStatement;
  /** Of a decision. */
  readonly receipt: ReceiptBody | null;
}

/** A log that instances write one after the other, under real keys, as enclaves do. Every record is a batch of its own. */
export class WrittenLog {
  readonly origin: string;
  readonly records: Written[] = [];
  readonly state = new LogState();
  range: CompactRange = EMPTY_RANGE;
  /** The newest note. */
  note = "";

  constructor(origin = ORIGIN) {
    this.origin = origin;
  }

  add(
    written: Written,
    writer: { readonly name: string; readonly sign: (bytes: Uint8Array) => Uint8Array; readonly jwk: SigningJwk },
  ): Receipt | null {
    const { range, root, paths } = appendLeaves(this.range, [leafHash(written.leaf)]);
    const publicKey = fromBase64Url(writer.jwk.x) ?? new Uint8Array();
    const key = verifierKey(instanceKeyName(writer.name), SIGNATURE_TYPE.ed25519, publicKey);
    this.note = signNote(formatCheckpoint({ origin: this.origin, size: range.size, root }), key, writer.sign);
    this.range = range;
    this.records.push(written);
    this.state.apply(written.statement, writer.name, range.size - 1);
    const index = range.size - 1;
    return written.receipt === null
      ? null
      : { ...written.receipt, log: { index, path: (paths[0] ?? []).map(toBase64Url), note: this.note } };
  }
}

/** An instance that writes a real log under a real key, as an enclave does. */
export class WritingInstance {
  readonly jwk: SigningJwk;
  readonly name: string;
  readonly log: WrittenLog;
  readonly handOver: HandOver;
  readonly #key: KeyObject;
  readonly #chains = new Map<string, SessionChain>();
  #seq = 0;

  /**
   * @param seed 32 bytes of an Ed25519 private key; a fresh key without
   * @param log the log that it continues
   */
  constructor(seed?: Uint8Array, log = new WrittenLog(), said: Partial<HandOver> = {}) {
    this.#key = seed === undefined ? generateKeyPairSync("ed25519").privateKey : privateKeyOf(seed);
    const { x } = this.#key.export({ format: "jwk" });
    if (x === undefined) throw new Error("an Ed25519 key has no x");
    this.jwk = { kty: "OKP", crv: "Ed25519", x };
    this.name = thumbprint(this.jwk);
    this.log = log;
    const { size } = log.range;
    this.handOver = {
      jwk: this.jwk,
      gateway_version: "0.1.0",
      policy_hash: POLICY,
      catalog_hash: CATALOG,
      launch_digest: LAUNCH,
      platform: "software-only",
      measurement: `sha256:${"0".repeat(64)}`,
      boot_time: "2026-08-01T00:00:00.000Z",
      history: { state: "complete" },
      predecessor: size === 0 ? null : { size, root: toHex(rootOf(log.range)), instance: null },
      ...said,
    };
    this.write({ kind: "hand-over", body: this.handOver });
  }

  readonly sign = (bytes: Uint8Array): Uint8Array => sign(null, bytes, this.#key);

  /** Everything in its log, as a host shows it. */
  get shown(): {
    readonly index: number;
    readonly kind: string;
    readonly leaf: Untrusted<Uint8Array>;
    readonly body: Untrusted<Uint8Array>;
  }[] {
    return this.log.records.map(({ kind, leaf, body }, index) => ({
      index,
      kind,
      leaf: untrusted<Uint8Array>(leaf),
      body: untrusted<Uint8Array>(body),
    }));
  }

  /** Writes a record. @returns the receipt of a decision */
  write(statement: JournalStatement, session = this.name): Receipt | null {
    const seq = this.#seq;
    this.#seq += 1;
    const isCall = statement.kind === "entry" && statement.body.entry_type === "tool_call";
    const decided = isCall ? decidedBy(statement.body, "plain") : null;
    const { leaf, body } = encodeRecord(statement, { instance: this.name, seq }, decided);
    const receipt = decided === null ? null : { ...decided, instance: this.name, seq };
    return this.log.add({ session, kind: statement.kind, leaf, body, statement, receipt }, this);
  }

  /** Writes a snapshot. */
  snapshot(): void {
    const { size, hashes } = this.log.range;
    for (const statement of snapshotOf(this.log.state, size, hashes.map(toHex))) this.write(statement);
  }

  chain(session: string): SessionChain {
    const known = this.#chains.get(session);
    if (known !== undefined) return known;
    const chain = new SessionChain(session, () => 1_785_000_000_000);
    this.#chains.set(session, chain);
    return chain;
  }

  entry(session: string, fields: EntryFields): AuditEntry {
    const entry = this.chain(session).append(fields);
    this.write({ kind: "entry", body: entry }, session);
    return entry;
  }

  start(session: string, detail: Record<string, string | number> = {}): AuditEntry {
    return this.entry(session, { entry_type: "session_start", detail: { policy_hash: POLICY, ...detail } });
  }

  end(session: string): AuditEntry {
    return this.entry(session, { entry_type: "session_end" });
  }

  intent(session: string, callId: string, said: Partial<Intent> = {}): Intent {
    const { tip, length } = this.chain(session);
    const intent: Intent = {
      call_id: callId,
      session_id: session,
      principal: "alice",
      tool_name: "echo",
      server_identity: null,
      workflow_id: "default",
      request_hash: "sha256:request",
      policy_hash: POLICY,
      session_sensitivity: "pii",
      tip_before: tip,
      length_before: length,
      ...said,
    };
    this.write({ kind: "intent", body: intent }, session);
    return intent;
  }

  call(session: string, callId: string, fields: Partial<EntryFields> = {}): AuditEntry {
    return this.entry(session, {
      entry_type: "tool_call",
      call_id: callId,
      tool_name: "echo",
      policy_decision: "allow",
      ...fields,
      detail: { policy_hash: POLICY, ...fields.detail },
    });
  }
}

// RFC 8410 section 7: an Ed25519 private key in PKCS #8 is this header and the 32 bytes.
const PKCS8_HEADER = Buffer.from("302e020100300506032b657004220420", "hex");

/** The private key of 32 seed bytes. */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ format: "der", type: "pkcs8", key: Buffer.concat([PKCS8_HEADER, seed]) });
}
