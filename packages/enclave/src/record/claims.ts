import { claimEvidence, writeEvidenceFile, type Evidence } from "@cmcp/appraise/evidence";
import { bundleSignature, bundleText, type AuditEntry, type SessionEnd, type Sign, type SigningJwk } from "@cmcp/audit";
import { asCmcpError, type JsonObject } from "@cmcp/boundary";
import { buildClaim, writeClaim, type Claim, type ClaimInput, type WrittenClaim } from "@cmcp/claim";
import { summarize } from "@cmcp/session";
import { GATEWAY_VERSION } from "../instance/version.ts";
import type { Journal } from "./journal.ts";
import { readEntries, type ChainPoint } from "./read-entries.ts";
import type { Recorder } from "./recorder.ts";
import type { RecordedSession } from "./recorded-session.ts";

/** Largest evidence stored with a session's last claim, in characters of JSON. Claim and evidence fit into one record. */
const MAX_KEPT_EVIDENCE = 1024 * 1024;

/** Numbers the claims of an instance and links each to the one before, so that a withheld claim is noticed. */
export class ClaimSequence {
  #number = 0;
  #previous: string | null = null;

  /**
   * Writes a claim with the next number and the link. The number is used up even if the host stores the claim late, because a second claim with
   * it would look like a fork.
   */
  next(write: (number: number, previous: string | null) => WrittenClaim): WrittenClaim {
    const written = write(this.#number + 1, this.#previous);
    this.#number += 1;
    this.#previous = written.hash;
    return written;
  }
}

/** What making claims needs. */
export interface ClaimPorts {
  readonly journal: Pick<Journal, "append" | "assertCaughtUp" | "scan">;
  readonly recorder: Pick<Recorder, "ensureStarted">;
  readonly instance: string;
  readonly key: { readonly jwk: SigningJwk; sign(message: Uint8Array): Uint8Array };
  /** Collects evidence over the root of a session's chain, for its principal. */
  readonly evidenceOf: (root: string, principalId: string) => Promise<Evidence>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Called for an open session whose record the host's store does not hold. */
  readonly onBroken: (recorded: RecordedSession) => void;
  readonly settings: ClaimSettings;
}

/** What every claim of an instance contains. */
export interface ClaimSettings {
  readonly eatProfile: ClaimInput["eatProfile"];
  readonly mode: ClaimInput["policy"]["mode"];
  readonly catalogHash: string;
  readonly validitySeconds: number;
  readonly isolation: ClaimInput["surroundings"]["isolation"];
  /** What the kill switch is set to; absent where it is not enabled. */
  readonly killSwitch?: ClaimInput["killSwitch"];
  /** Whether a claim is made after every call. */
  readonly perCall: boolean;
}

/** The last policy that the session's own entries name. The policy in force may be newer. */
function policyOf(entries: readonly AuditEntry[]): { readonly hash: string; readonly version: string } {
  const detail = entries.findLast(({ entry_type: type }) => type === "policy_load" || type === "session_start")?.detail;
  return { hash: String(detail?.["policy_hash"]), version: String(detail?.["policy_version"]) };
}

/** Makes claims over sessions from their entries in the host's store. */
export class Claims {
  readonly #parts: ClaimPorts;
  readonly #sequence = new ClaimSequence();

  constructor(parts: ClaimPorts) {
    this.#parts = parts;
  }

  /**
   * The present end of a session's chain, once the host has stored every entry up to it.
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE` while the host is late with a record
   */
  async storedPoint({ chain, stored }: RecordedSession): Promise<ChainPoint> {
    const point = { root: chain.root, tip: chain.tip, length: chain.length };
    await stored;
    this.#parts.journal.assertCaughtUp();
    return point;
  }

  /**
   * A claim over an open session so far, which a verifier calls an open prefix. If every call makes a claim, the latest one is returned until
   * the session gets another entry.
   * @throws CmcpError `AUDIT_STORE_MISMATCH` if the store does not hold the session's record; the session then ends without a claim
   */
  async claimOpen(recorded: RecordedSession): Promise<Claim> {
    await this.#parts.recorder.ensureStarted(recorded);
    const point = await this.storedPoint(recorded);
    const latest = recorded.latestClaim;
    if (this.#parts.settings.perCall && latest?.gateway.audit_chain.tip === point.tip) return latest;
    try {
      recorded.latestClaim = await this.#make(recorded, point);
    } catch (thrown) {
      if (asCmcpError(thrown, "INTERNAL", "").code === "AUDIT_STORE_MISMATCH") this.#parts.onBroken(recorded);
      throw thrown;
    }
    return recorded.latestClaim;
  }

  /** The claim over a session that has its `session_end` entry. */
  async claimEnded(recorded: RecordedSession): Promise<Claim> {
    return await this.#make(recorded, await this.storedPoint(recorded));
  }

  /** A session's audit bundle up to a point of its chain, as text in pieces. */
  async export(sessionId: string, point: ChainPoint): Promise<Iterable<string>> {
    const entries = await readEntries(this.#parts, sessionId, point);
    return bundleText(sessionId, entries, (bytes) => this.#parts.key.sign(bytes));
  }

  async #make(recorded: RecordedSession, point: ChainPoint): Promise<Claim> {
    const { journal, key, evidenceOf } = this.#parts;
    const entries = await readEntries(this.#parts, recorded.session.id, point);
    const sign = (bytes: Uint8Array): Uint8Array => key.sign(bytes);
    const evidence = await evidenceOf(point.root, recorded.session.principalId);
    const end = entries.at(-1)?.entry_type === "session_end" ? { end: await sessionEnd(entries, evidence, sign) } : {};
    const { claim, written, hash } = this.#sequence.next((sequenceNumber, previous) =>
      writeClaim(
        buildClaim({
          ...this.#input(recorded, entries, point),
          attestation: {
            ...evidence,
            validitySeconds: this.#parts.settings.validitySeconds,
            evidence: claimEvidence(evidence),
          },
          sequenceNumber,
          ...(previous === null ? {} : { previousClaimHash: previous }),
        }),
        sign,
      ),
    );
    await journal.append(recorded.session.id, {
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

  #input(
    recorded: RecordedSession,
    entries: readonly AuditEntry[],
    point: ChainPoint,
  ): Omit<ClaimInput, "attestation" | "sequenceNumber"> {
    const { key, now, settings } = this.#parts;
    const { call_graph_summary: graph } = summarize(recorded.session);
    return {
      eatProfile: settings.eatProfile,
      issuedAt: Math.floor(now() / 1000),
      jwk: key.jwk,
      gatewayVersion: GATEWAY_VERSION,
      session: {
        id: recorded.session.id,
        ...point,
        crossBoundaryEvents: graph.cross_boundary_events.map((event) => ({ ...event })),
        edgesRepresent: graph.edges_represent,
      },
      entries,
      policy: { ...policyOf(entries), mode: settings.mode },
      catalog: { hash: settings.catalogHash, driftDetected: recorded.drifted.size > 0 },
      surroundings: { isolation: settings.isolation, channel: "plain" },
      killSwitch: settings.killSwitch,
    };
  }
}

/** What is stored with the claim of a closed session, so that a later instance with another key can return it. */
async function sessionEnd(entries: readonly AuditEntry[], evidence: Evidence, sign: Sign): Promise<SessionEnd> {
  const file = JSON.parse(JSON.stringify(writeEvidenceFile(evidence))) as JsonObject;
  const storedEvidence = JSON.stringify(file).length <= MAX_KEPT_EVIDENCE ? { evidence: file } : {};
  return { bundle_signature: await bundleSignature(entries, sign), ...storedEvidence };
}
