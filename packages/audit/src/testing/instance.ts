import { createHash, createPrivateKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { canonicalBytes, toBase64Url, untrusted, type Untrusted } from "@cmcp/boundary";
import { SessionChain, type EntryFields } from "../chain.ts";
import type { AuditEntry } from "../entry.ts";
import { unsignedRecord, type Intent, type JournalStatement, type SigningJwk } from "../journal.ts";
import { receiptOf } from "../receipt.ts";
import { signTogether, type Statement } from "../sign-together.ts";
import type { Sign } from "../sign.ts";

/** A policy hash of the right form. */
export const POLICY = `sha256:${"a".repeat(64)}`;
/** A catalog hash of the right form. */
export const CATALOG = `sha256:${"b".repeat(64)}`;

/** RFC 7638 thumbprint, base64url. */
export function thumbprint({ kty, crv, x }: SigningJwk): string {
  return toBase64Url(createHash("sha256").update(canonicalBytes({ crv, kty, x })).digest());
}

/** A statement, and the receipt it is to have. */
export function unsigned(statement: JournalStatement, instance: string, seq: number): Statement {
  const receipt =
    statement.kind === "entry" && statement.body.receipt !== null
      ? receiptOf(statement.body.entry, instance, statement.body.receipt)
      : null;
  return { record: unsignedRecord(statement, instance, seq), receipt };
}

/** One record, signed with its receipt and no other. */
export function encodeRecord(
  statement: JournalStatement,
  instance: string,
  seq: number,
  key: Sign,
): Uint8Array<ArrayBuffer> {
  const [signed] = signTogether([unsigned(statement, instance, seq)], key);
  if (signed === undefined) throw new Error("nothing was signed");
  return signed.record;
}

/** One record as it was written, with what it says. */
export interface Written {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly statement: JournalStatement;
}

/** An instance that writes a real journal under a real key, as an enclave does. */
export class WritingInstance {
  readonly jwk: SigningJwk;
  readonly name: string;
  readonly journal: Written[] = [];
  readonly #key: KeyObject;
  readonly #chains = new Map<string, SessionChain>();

  /** @param seed 32 bytes of an Ed25519 private key; a fresh key without. */
  constructor(seed?: Uint8Array) {
    this.#key = seed === undefined ? generateKeyPairSync("ed25519").privateKey : privateKeyOf(seed);
    const { x } = this.#key.export({ format: "jwk" });
    if (x === undefined) throw new Error("an Ed25519 key has no x");
    this.jwk = { kty: "OKP", crv: "Ed25519", x };
    this.name = thumbprint(this.jwk);
    this.write({
      kind: "instance",
      body: {
        jwk: this.jwk,
        gateway_version: "0.1.0",
        policy_hash: POLICY,
        catalog_hash: CATALOG,
        boot_time: "2026-08-01T00:00:00.000Z",
      },
    });
  }

  readonly sign = (bytes: Uint8Array): Uint8Array => sign(null, bytes, this.#key);

  get records(): Untrusted<Uint8Array>[] {
    return this.journal.map(({ bytes }) => untrusted(bytes));
  }

  /** The same records, signed in groups of this many. */
  signedTogether(size: number): Untrusted<Uint8Array>[] {
    const statements = this.journal.map(({ statement }, seq) => unsigned(statement, this.name, seq));
    const groups = Array.from({ length: Math.ceil(statements.length / size) }, (_, group) =>
      statements.slice(group * size, (group + 1) * size),
    );
    return groups.flatMap((group) => signTogether(group, this.sign)).map(({ record }) => untrusted(record));
  }

  write(statement: JournalStatement): void {
    this.journal.push({ statement, bytes: encodeRecord(statement, this.name, this.journal.length, this.sign) });
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
    this.write({ kind: "entry", body: { entry, receipt: fields.entry_type === "tool_call" ? "plain" : null } });
    return entry;
  }

  start(session: string, detail: Record<string, string | number> = {}): AuditEntry {
    return this.entry(session, { entry_type: "session_start", detail: { policy_hash: POLICY, ...detail } });
  }

  end(session: string): AuditEntry {
    return this.entry(session, { entry_type: "session_end" });
  }

  intent(session: string, callId: string): Intent {
    const intent: Intent = {
      call_id: callId,
      session_id: session,
      tool_name: "echo",
      server_identity: null,
      workflow_id: "default",
      request_hash: "sha256:request",
      policy_hash: POLICY,
      session_sensitivity: "pii",
      tip_before: this.chain(session).tip,
    };
    this.write({ kind: "intent", body: intent });
    return intent;
  }

  call(session: string, callId: string): AuditEntry {
    return this.entry(session, {
      entry_type: "tool_call",
      call_id: callId,
      tool_name: "echo",
      policy_decision: "allow",
      detail: { policy_hash: POLICY },
    });
  }
}

// RFC 8410 section 7: an Ed25519 private key in PKCS #8 is this header and the 32 bytes.
const PKCS8_HEADER = Buffer.from("302e020100300506032b657004220420", "hex");

/** The private key of 32 seed bytes. */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ format: "der", type: "pkcs8", key: Buffer.concat([PKCS8_HEADER, seed]) });
}
