import type { EntryFields } from "@cmcp/audit";
import { approvedOf, nameOf, type Target } from "@cmcp/catalog";
import type { EgressDecision, EgressTarget, PeerEgress } from "@cmcp/mcp";
import type { RecordedSession } from "../record/recorded-session.ts";
import { workflowOf, type Call } from "./call.ts";
import type { Decider, EgressVerdict } from "./decide.ts";
import type { Detail } from "./ending.ts";
import type { Rules } from "./rules.ts";

/** Connections that one call decides and records. Its session has room for no more of them. */
const MAX_CONNECTIONS = 64;

/** What the record says of a refusal that is not a rule's. */
const NOT_DECLARED = "not-declared";
const OTHER_CALL = "other-call";

/** What deciding a server's connections needs. */
export interface EgressPorts {
  readonly decider: Pick<Decider, "decideEgress">;
  /** The rules in force now, which may be newer than the call's. */
  readonly rules: () => Rules;
  /** Stores an entry, and waits for the acknowledgement. @throws CmcpError `AUDIT_STORE_UNAVAILABLE` */
  readonly record: (recorded: RecordedSession, fields: EntryFields) => Promise<unknown>;
}

/**
 * Decides where a stdio server connects to during one call, and stores an entry for each connection before it is made.
 * What its catalog entry does not declare is refused whatever policy says.
 */
export class CallEgress implements PeerEgress {
  readonly #ports: EgressPorts;
  readonly #call: Call;
  readonly #target: Target;
  readonly #declared: readonly EgressTarget[];
  readonly #counts = { connections: 0, refused: 0, unrecorded: 0, before: 0, sent: 0, received: 0 };

  private constructor(ports: EgressPorts, call: Call, target: Target, declared: readonly EgressTarget[]) {
    this.#ports = ports;
    this.#call = call;
    this.#target = target;
    this.#declared = declared;
  }

  /** `undefined` where the server of the call has no way out. */
  static of(ports: EgressPorts, call: Call, target: Target): CallEgress | undefined {
    const { server } = approvedOf(target);
    const declared = server.transport === "stdio" ? (server.spawn.egress ?? []) : [];
    return declared.length === 0 ? undefined : new CallEgress(ports, call, target, declared);
  }

  /** Counts of connections and of their bytes for the call's entry. */
  get detail(): Detail {
    const { connections, refused, unrecorded, before, sent, received } = this.#counts;
    return {
      ...(connections === 0
        ? {}
        : { egress_connections: connections, egress_bytes_sent: sent, egress_bytes_received: received }),
      ...(refused === 0 ? {} : { egress_refused: refused }),
      ...(before === 0 ? {} : { egress_refused_before: before }),
      ...(unrecorded === 0 ? {} : { egress_unrecorded: unrecorded }),
    };
  }

  countRefusedBefore(connections: number): void {
    this.#counts.before += connections;
  }

  count(sent: number, received: number): void {
    this.#counts.sent += sent;
    this.#counts.received += received;
  }

  decide(egress: EgressTarget): EgressDecision {
    const counts = this.#counts;
    if (counts.connections + counts.refused >= MAX_CONNECTIONS || this.#call.recorded.isFull) {
      counts.unrecorded += 1;
      return { isAllowed: false, record: async () => undefined };
    }
    const verdict = this.#verdict(egress);
    const isAllowed = verdict.decision !== "deny";
    return {
      isAllowed,
      record: async (isConnected) => {
        counts[isConnected ? "connections" : "refused"] += 1;
        await this.#record(egress, isAllowed && !isConnected ? { decision: "deny", rule: OTHER_CALL } : verdict);
      },
    };
  }

  #verdict(egress: EgressTarget): EgressVerdict {
    if (!this.#declared.some(({ host, port }) => host === egress.host && port === egress.port))
      return { decision: "deny", rule: NOT_DECLARED };
    const call = { ...this.#call, ...this.#ports.rules(), requestBytes: 0, isFollowUp: true };
    return this.#ports.decider.decideEgress(call, this.#target, egress);
  }

  async #record({ host, port }: EgressTarget, { decision, rule }: EgressVerdict): Promise<void> {
    const { id, recorded, policyRequest } = this.#call;
    await this.#ports.record(recorded, {
      entry_type: "server_egress",
      call_id: id,
      tool_name: nameOf(this.#target),
      server_identity: approvedOf(this.#target).server.identity,
      workflow_id: workflowOf(policyRequest),
      policy_decision: decision,
      policy_rule_matched: rule,
      detail: { host, port, policy_hash: this.#ports.rules().policy.bundle.hash },
    });
  }
}
