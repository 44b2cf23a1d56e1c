/** Something the enclave must never do, and did. */
export interface Finding {
  readonly rule: Rule;
  readonly what: string;
}

/** What the enclave is held to. */
export type Rule =
  /** A reply is correct, a typed refusal, or silence. */
  | "reply"
  /** Without a lie there is a reply, and it is the right one. */
  | "honest"
  /** Nothing reaches a server without an intent in the record before it. */
  | "unrecorded"
  /** A sealed request reaches a server once, however often its host sends it. */
  | "replay"
  /** What a person has to approve reaches a server once for each approval in the record, and not without one. */
  | "approval"
  /** What policy forbids reaches no server. */
  | "forbidden"
  /** Nothing an agent or a server says leaves in cleartext where it is TLS, or lies in the store. */
  | "cleartext"
  /** The record is one chain a session, numbered and signed, every call in it once. */
  | "record"
  /** Claims, exports and receipts verify and agree with the record. */
  | "claim"
  /** The process ends by a kill, and by nothing else. */
  | "crash"
  /** Once the host serves again, so does the enclave. */
  | "recovery"
  /** A principal's label is what the record says, or higher. */
  | "label";

export type Find = (rule: Rule, what: string) => void;
