import { KILL_SWITCH_REASONS, killSwitchDetail, type EntryFields, type SignedKillSwitch } from "@cmcp/audit";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim";
import type { Hold, KillSwitch } from "@cmcp/limits";
import { reportFault } from "../instance/stderr-events.ts";
import { claimDigestOf, refusalReceipt, type RefusalKey } from "./refusal-receipt.ts";
import type { Recorder } from "./recorder.ts";
import type { RecordedSession } from "./recorded-session.ts";
import type { SessionCloser } from "./session-closer.ts";
import type { Sessions } from "./sessions.ts";
import { writeWholeSession, type WholeSessionPorts } from "./whole-session.ts";

/** Refusals that say nothing about what a principal may do: they do not count as denials. */
export const LIMIT_REFUSALS: ReadonlySet<unknown> = new Set([
  "KILL_SWITCH_TRIPPED",
  "RATE_LIMIT_EXCEEDED",
  "BUDGET_EXCEEDED",
  "OVERLOADED",
  "POLICY_SIGNING_KEY_REVOKED",
  "AGENT_MANIFEST_BINDING_FAILED",
]);

/** What stopping principals needs. */
export interface PrincipalStopPorts extends WholeSessionPorts {
  /** `null` where the configuration has no kill switch. */
  readonly killSwitch: { readonly state: KillSwitch; readonly windowSeconds: number } | null;
  readonly recorder: Pick<Recorder, "note">;
  readonly sessions: Pick<Sessions, "openSessionsOf">;
  readonly closing: Pick<SessionCloser, "close">;
  readonly key: RefusalKey;
}

/** The session that a trip closed, and the digest of its claim once it is made. */
interface Stopped {
  readonly sessionId: string;
  claimDigest: string | null;
}

/** The kill switch and its record: it counts what entries say, and each change of it has an entry. */
export class PrincipalStops {
  readonly #ports: PrincipalStopPorts;
  /** By blocked principal; the kill switch bounds them. */
  readonly #stopped = new Map<string, Stopped>();

  constructor(ports: PrincipalStopPorts) {
    this.#ports = ports;
  }

  /** Why calls of a principal are refused; `null` if the kill switch does not refuse them. */
  holdOf(principal: string): Hold | null {
    return this.#ports.killSwitch?.state.holdOf(principal) ?? null;
  }

  /**
   * Counts a call by the entry that was just added to its session's chain. The call that reaches the threshold trips
   * the switch: its session gets an entry that says so, and every session of the principal is closed with its claim.
   * Runs in the same turn as the entry is added.
   */
  count(recorded: RecordedSession, { call_id: callId, policy_decision: decision, detail }: EntryFields): void {
    const { killSwitch } = this.#ports;
    if (killSwitch === null || LIMIT_REFUSALS.has(detail?.["error_code"])) return;
    const allowed = decision === "allow" || decision === "redact";
    if (!allowed && decision !== "deny" && decision !== "advisory_deny") return;
    const principal = recorded.session.principalId;
    if (!killSwitch.state.count(principal, !allowed)) return;
    const tripped = {
      reason: KILL_SWITCH_REASONS.tripped,
      agent_id: principal,
      deny_rate_window_seconds: killSwitch.windowSeconds,
      tripping_call_id: callId ?? "",
    };
    void this.#stop(principal, recorded, tripped);
  }

  /**
   * Blocks a principal as an operator's statement says.
   * @returns the claim of a session that was closed; `null` if none was open, or it could not be made
   * @throws CmcpError `KILL_SWITCH_DISABLED`, `AUDIT_STORE_UNAVAILABLE`
   */
  async trip(signed: SignedKillSwitch): Promise<Claim | null> {
    const { state } = this.#required();
    const { principal } = signed.statement;
    state.block(principal, "operator");
    const detail = killSwitchDetail(signed);
    const stored = this.#recordStatement(detail);
    const closed = this.#stop(principal, null, detail);
    await stored;
    return await closed;
  }

  /** Lifts a block as an operator's statement says. @throws CmcpError `KILL_SWITCH_DISABLED`, `NOT_BLOCKED`, `AUDIT_STORE_UNAVAILABLE` */
  async unblock(signed: SignedKillSwitch): Promise<void> {
    const { state } = this.#required();
    const { principal } = signed.statement;
    if (!state.unblock(principal)) throw new CmcpError("NOT_BLOCKED", "the kill switch does not block this principal");
    this.#stopped.delete(principal);
    const detail = killSwitchDetail(signed);
    for (const recorded of this.#sessionsOf(principal)) this.#note(recorded, detail);
    await this.#recordStatement(detail);
  }

  /** @throws CmcpError `KILL_SWITCH_DISABLED`, and `NOT_BLOCKED` for an unblock of a principal that is not blocked */
  assertApplicable({ statement: { purpose, principal } }: SignedKillSwitch): void {
    const { state } = this.#required();
    if (purpose === "kill-switch-unblock" && state.holdOf(principal)?.kind !== "blocked")
      throw new CmcpError("NOT_BLOCKED", "the kill switch does not block this principal");
  }

  /** The signed receipt for a call that the kill switch refuses. */
  receiptFor({ session, id }: RecordedSession): JsonObject {
    const stopped = this.#stopped.get(session.principalId);
    const { key, now } = this.#ports;
    return refusalReceipt(
      {
        principal: session.principalId,
        sessionId: stopped?.sessionId ?? id,
        claimDigest: stopped?.claimDigest ?? null,
        time: new Date(now()),
      },
      key,
    );
  }

  /** Adds the entry to the principal's sessions and closes them. @param first the session of the call that tripped the switch */
  async #stop(
    principal: string,
    first: RecordedSession | null,
    detail: Readonly<Record<string, string | number>>,
  ): Promise<Claim | null> {
    const others = this.#sessionsOf(principal).filter((recorded) => recorded !== first);
    const all = first === null ? others : [first, ...others];
    for (const recorded of all) this.#note(recorded, detail);
    const [main] = all;
    if (main === undefined) return null;
    const stopped: Stopped = { sessionId: main.id, claimDigest: null };
    this.#stopped.set(principal, stopped);
    const claims = all.map((recorded) => this.#ports.closing.close(recorded));
    // A session that cannot be closed now is closed by the sweep. It takes no calls either way.
    for (const claim of claims) claim.catch(reportFault);
    return (
      (await claims[0]?.then(
        (claim) => {
          stopped.claimDigest = claimDigestOf(claim);
          return claim;
        },
        () => null,
      )) ?? null
    );
  }

  #note(recorded: RecordedSession, detail: Readonly<Record<string, string | number>>): void {
    if (recorded.chain.room === 0) return;
    // The journal retries an entry that the host is late with. The chain already has it.
    this.#ports.recorder.note(recorded, { entry_type: "break_glass_used", detail }).stored.catch(() => undefined);
  }

  async #recordStatement(detail: Readonly<Record<string, string | number>>): Promise<void> {
    await writeWholeSession(this.#ports, {
      principal: "(operator)",
      entries: [{ entry_type: "break_glass_used", detail }],
    }).stored;
  }

  #sessionsOf(principal: string): RecordedSession[] {
    return this.#ports.sessions.openSessionsOf(principal).filter(({ lifecycle }) => lifecycle.phase === "started");
  }

  #required(): NonNullable<PrincipalStopPorts["killSwitch"]> {
    const { killSwitch } = this.#ports;
    if (killSwitch === null)
      throw new CmcpError("KILL_SWITCH_DISABLED", "the configuration does not enable the kill switch");
    return killSwitch;
  }
}
