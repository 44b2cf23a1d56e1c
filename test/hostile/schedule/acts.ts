/** What a schedule is made of: steps of agents, and acts of the host between and during them. */

/** Tools of the tool server. `erase_record` is forbidden to everybody, `send_message` once its caller has seen a record. */
export const TOOLS = ["send_message", "get_patient_record", "erase_record"] as const;
/** The last one waits for a person's approval. */
export type ToolName = (typeof TOOLS)[number] | "pay_invoice";

/** What the approver does about a payment: `again` is its last answer once more, `elsewhere` the answer to another payment. */
export const APPROVER_ANSWERS = ["approve", "deny", "again", "elsewhere", "forged"] as const;
export type ApproverAnswer = (typeof APPROVER_ANSWERS)[number];

/** What happens to an append. */
export const APPEND_LIES = [
  "refuse",
  "forget",
  "late",
  "stall",
  "twice",
  "reorder",
  "truncate",
  "flip",
  "splice",
  "elsewhere",
  "foreign",
  "no-answer",
] as const;
/** What happens to the answer of a scan. */
export const SCAN_LIES = [
  "drop",
  "reorder",
  "twice",
  "truncate",
  "flip",
  "splice",
  "empty",
  "refuse",
  "stall",
  "foreign",
  "moved",
] as const;
/** What happens to the path that proves where a record stands. */
export const PROVE_LIES = ["flip", "truncate", "longer", "reorder", "other", "refuse", "stall"] as const;
/** What happens when the enclave asks for a connection to a tool server. */
export const DIAL_LIES = ["refuse", "stall", "elsewhere", "listen", "words"] as const;
/** What happens to the bytes of such a connection. */
export const EGRESS_LIES = ["cut", "garbage", "flip-down", "flip-up"] as const;
/** What happens to bytes that the host writes to the enclave. */
export const FRAME_LIES = [
  "flip",
  "truncate",
  "replay",
  "splice",
  "unknown",
  "number",
  "early-end",
  "garbage",
  "oversized",
] as const;
/** Control messages, as the host sends them. */
export const CONTROL_LIES = [
  "launch-again",
  "provision-again",
  "provision-garbage",
  "provision-stranger",
  "provision-swapped",
  "provision-nobody",
  "reload-garbage",
  "reload-unsigned",
  "reload-forged",
  "reload-same",
  "reload-newer",
  "reload-older",
  "append",
  "drain",
] as const;
/** What the host puts beside an agent's request. */
export const HEADER_LIES = ["peer", "workflow", "origin", "handle", "version", "token"] as const;
/** What happens to a sealed request, or to its answer. */
export const SEALED_LIES = [
  "replay",
  "reorder",
  "truncate",
  "splice",
  "swap",
  "answer-swap",
  "answer-cut",
  "stale-key",
] as const;
/** What the next enclave is shown of the log. */
export const LOG_LIES = [
  "kept",
  "empty",
  "rolled-back",
  "flip",
  "gap",
  "foreign",
  "reorder",
  "twice",
  "hidden",
  "truncate",
  "inserted",
  "longer",
  "no-snapshot",
  "other-snapshot",
  "changed-note",
  "own-note",
  "other-origin",
] as const;

interface Lie<Kind extends string, What extends string> {
  readonly side: "host";
  readonly kind: Kind;
  readonly lie: What;
  /** How many such occasions pass before it. */
  readonly skip: number;
  /** Chooses a record, a byte or a bit. */
  readonly at: number;
}

/** An act of the host. */
export type HostAct =
  | Lie<"append", (typeof APPEND_LIES)[number]>
  | Lie<"scan", (typeof SCAN_LIES)[number]>
  | Lie<"prove", (typeof PROVE_LIES)[number]>
  | Lie<"dial", (typeof DIAL_LIES)[number]>
  | Lie<"egress", (typeof EGRESS_LIES)[number]>
  /** Bytes of services' answers. */
  | Lie<"answer", (typeof FRAME_LIES)[number]>
  /** Bytes of agents' requests. */
  | Lie<"request", (typeof FRAME_LIES)[number]>
  | Lie<"header", (typeof HEADER_LIES)[number]>
  | Lie<"sealed", (typeof SEALED_LIES)[number]>
  | {
      readonly side: "host";
      readonly kind: "control";
      readonly lie: (typeof CONTROL_LIES)[number];
      readonly at: number;
    }
  /** The wall clock's distance from the truth, in milliseconds. */
  | { readonly side: "host"; readonly kind: "clock"; readonly ms: number }
  | { readonly side: "host"; readonly kind: "cut"; readonly what: "answers" | "requests" | "egress" }
  /** Kills the enclave at the n-th event the host sees from now on; 0 is now. */
  | { readonly side: "host"; readonly kind: "kill"; readonly after: number }
  | {
      readonly side: "host";
      readonly kind: "restart";
      readonly lie: (typeof LOG_LIES)[number];
      readonly at: number;
    };

/** A step of one of the two agents. */
export type AgentAct =
  | {
      readonly side: "agent";
      readonly kind: "call";
      readonly agent: 0 | 1;
      readonly tool: ToolName;
      /** `null` is the principal's one session, `handle` the one it opened last. */
      readonly label: string | null;
      /** Goes on without waiting for the answer. */
      readonly together: boolean;
      /** Whether the host is to read nothing of it. A sealed call has no handle, as handles are of calls in the clear. */
      readonly sealed?: boolean;
    }
  | { readonly side: "agent"; readonly kind: "open" | "list" | "status"; readonly agent: 0 | 1 }
  /** The n-th payment once more, unchanged. */
  | { readonly side: "agent"; readonly kind: "repeat"; readonly payment: number; readonly together: boolean }
  /** The approver on the n-th payment. */
  | { readonly side: "agent"; readonly kind: "approver"; readonly payment: number; readonly how: ApproverAnswer }
  /** About the n-th session that receipts named. */
  | {
      readonly side: "agent";
      readonly kind: "claim" | "export" | "close" | "steal";
      readonly agent: 0 | 1;
      readonly session: number;
    };

export type Act = AgentAct | HostAct;

/** A list of acts, in order. */
export interface Schedule {
  /** What it was made from; 0 for one made by hand. */
  readonly seed: number;
  readonly acts: readonly Act[];
}

/** Whether the host does anything but serve. */
export function isHonest({ acts }: Schedule): boolean {
  return acts.every(({ side }) => side === "agent");
}
