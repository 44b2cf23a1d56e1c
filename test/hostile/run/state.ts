import type { Receipt } from "@cmcp/audit/schema";
import { principalId, tokenOf } from "../host/deployment.ts";
import type { ShownPast } from "../oracle/past.ts";

/** What a principal's label is known to be: `yes` is beyond what messages may be sent with. */
export type Tainted = "no" | "maybe" | "yes";

/** One of the two agents of a schedule, and what it may conclude from what it was answered. */
export class AgentState {
  readonly principal: string;
  readonly token: string;
  tainted: Tainted = "no";
  /** Of the session it opened last. */
  handle: string | null = null;

  constructor(index: number) {
    this.principal = principalId(index);
    this.token = tokenOf(index);
  }

  /** A call for a record has left. */
  mayHaveSeen(): void {
    if (this.tainted === "no") this.tainted = "maybe";
  }

  /** What the next enclave must know of it, by what it was shown. */
  carry({ tampered, seen }: ShownPast): void {
    this.handle = null;
    if (this.tainted === "no") return;
    this.tainted = seen.has(this.principal) || (tampered && this.tainted === "yes") ? "yes" : "maybe";
  }
}

/** A session that receipts or claims named, and what agents hold of it. */
export interface SeenSession {
  readonly session: string;
  readonly owner: AgentState;
  readonly receipts: Receipt[];
  readonly claims: string[];
}
