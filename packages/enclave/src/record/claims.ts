import { bundleText, type AuditEntry } from "@cmcp/audit";
import { buildClaim, writeClaim, type Claim, type WrittenClaim } from "@cmcp/claim";
import { claimEvidence } from "@cmcp/attestation";
import { summarize } from "@cmcp/session";
import { GATEWAY_VERSION } from "../instance/version.ts";
import type { Core } from "../boot/core.ts";
import { readEntries, type ChainPoint } from "./read-back.ts";
import { ensureStarted, record } from "./recorder.ts";
import type { RecordedSession } from "./recorded-session.ts";
import { sessionEnd } from "./session-end.ts";

/** Numbers an instance's claims and links each to the one before, so that withholding one can be found. */
export class ClaimSequence {
  #number = 0;
  #previous: string | null = null;

  /**
   * The claim that `write` writes under the next number and link. They are its own from then on, however late the host
   * stores it: another of the same number would look like a fork.
   */
  next(write: (number: number, previous: string | null) => WrittenClaim): WrittenClaim {
    const written = write(this.#number + 1, this.#previous);
    this.#number += 1;
    this.#previous = written.hash;
    return written;
  }
}

/** What this process knows a session's chain to be right now. */
export function pointOf(recorded: RecordedSession): ChainPoint {
  return { root: recorded.chain.root, tip: recorded.chain.tip, length: recorded.chain.length };
}

/**
 * {@link pointOf} once the host holds every entry up to there, so that they can be read back.
 * @throws CmcpError `AUDIT_STORE_UNAVAILABLE` while its store is behind: what it lacks is late, and no lie
 */
export async function storedPoint(core: Core, recorded: RecordedSession): Promise<ChainPoint> {
  const point = pointOf(recorded);
  await recorded.stored;
  core.journal.assertCaughtUp();
  return point;
}

/** The policy last in force in a session, as its own entries say: the gateway's may be a newer one by now. */
function latestPolicy(entries: readonly AuditEntry[]): { hash: string; version: string } {
  const detail = entries.findLast(({ entry_type: type }) => type === "policy_load" || type === "session_start")?.detail;
  return { hash: String(detail?.["policy_hash"]), version: String(detail?.["policy_version"]) };
}

async function makeClaim(core: Core, recorded: RecordedSession, point: ChainPoint): Promise<Claim> {
  const { config, key } = core;
  const entries = await readEntries(core, recorded.session.id, point);
  const sign = (bytes: Uint8Array): Uint8Array => key.sign(bytes);
  const evidence = await core.sessionEvidence.of(point.root, recorded.session.principalId);
  const end = recorded.ended ? { end: await sessionEnd(entries, evidence, sign) } : {};
  const { call_graph_summary: graph } = summarize(recorded.session);
  const { claim, written, hash } = core.claims.next((sequenceNumber, previous) =>
    writeClaim(
      buildClaim({
        eatProfile: config.enclave.eat_profile,
        issuedAt: Math.floor(core.clock.now().getTime() / 1000),
        jwk: key.jwk,
        gatewayVersion: GATEWAY_VERSION,
        session: {
          id: recorded.session.id,
          ...point,
          crossBoundaryEvents: graph.cross_boundary_events.map((event) => ({ ...event })),
          edgesRepresent: graph.edges_represent,
        },
        entries,
        policy: { ...latestPolicy(entries), mode: config.attestation.enforcement_mode },
        catalog: { hash: core.catalog.hash, driftDetected: recorded.drifted.size > 0, exceptions: [] },
        attestation: {
          ...evidence,
          validitySeconds: config.attestation.validity_seconds,
          evidence: claimEvidence(evidence),
        },
        surroundings: { isolation: core.isolation, channel: "plain" },
        sequenceNumber,
        ...(previous === null ? {} : { previousClaimHash: previous }),
      }),
      sign,
    ),
  );
  await core.journal.append(recorded.session.id, {
    kind: "claim",
    body: {
      session_id: recorded.session.id,
      sequence_number: claim.gateway.sequence_number,
      claim_hash: hash,
      claim: written,
      ...end,
    },
  });
  return claim;
}

/**
 * A claim over everything recorded in an open session so far; a verifier calls it an open prefix. While
 * nothing is added to the session, asking again gives the same claim where each call makes one already.
 */
export async function claimSoFar(core: Core, recorded: RecordedSession): Promise<Claim> {
  await ensureStarted(core, recorded);
  const point = await storedPoint(core, recorded);
  if (core.config.enclave.claims === "call" && recorded.claimSoFar?.gateway.audit_chain.tip === point.tip)
    return recorded.claimSoFar;
  const claim = await makeClaim(core, recorded, point);
  recorded.claimSoFar = claim;
  return claim;
}

/**
 * Ends a session: no further call, the ones under way aborted and recorded, `session_end`, claim. Where that fails, as
 * while the host's store is down, the session stays without calls and is due again at the next turn of the sweep.
 */
export function closeSession(core: Core, recorded: RecordedSession): Promise<Claim> {
  if (recorded.closing !== null && !recorded.closeFailed) return recorded.closing;
  recorded.closeFailed = false;
  recorded.closing = endAndClaim(core, recorded).catch((thrown: unknown) => {
    recorded.closeFailed = true;
    core.sessions.setAside(recorded);
    throw thrown;
  });
  return recorded.closing;
}

async function endAndClaim(core: Core, recorded: RecordedSession): Promise<Claim> {
  await recorded.quiesce();
  await ensureStarted(core, recorded);
  if (!recorded.ended) {
    recorded.ended = true;
    await record(core, recorded, {
      entry_type: "session_end",
      policy_decision: "n/a",
      response_inspection_result: "n/a",
      session_sensitivity_after: recorded.session.sensitivity,
      detail: { policy_hash: core.policy.bundle.hash },
    }).stored;
  }
  const point = await storedPoint(core, recorded);
  const claim = await makeClaim(core, recorded, point);
  core.sessions.remember(recorded, claim);
  core.subscriptions.forget(recorded.session.id);
  core.requestStates.forget(recorded.session.id);
  core.tasks.forget(recorded.session.id);
  await core.upstreams.closeSession(recorded.session.id);
  return claim;
}

/** The text of a session's audit bundle up to a point of its chain, in pieces. */
export async function exportSession(core: Core, sessionId: string, point: ChainPoint): Promise<Iterable<string>> {
  const entries = await readEntries(core, sessionId, point);
  return bundleText(sessionId, entries, (bytes) => core.key.sign(bytes));
}
