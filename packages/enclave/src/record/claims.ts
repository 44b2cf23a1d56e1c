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

/** Largest evidence kept with a session's last claim, in characters of JSON: with the largest claim it fits into one record. */
const MAX_KEPT_EVIDENCE = 1024 * 1024;

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

/** What claims are made with. */
export interface ClaimPorts {
  readonly journal: Pick<Journal, "append" | "assertCaughtUp" | "scan">;
  readonly recorder: Pick<Recorder, "ensureStarted">;
  readonly instance: string;
  readonly key: { readonly jwk: SigningJwk; sign(message: Uint8Array): Uint8Array };
  /** Evidence over a session's chain root, for its principal. */
  readonly evidenceOf: (root: string, principalId: string) => Promise<Evidence>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told of an open session whose record the host's store does not hold. */
  readonly onBroken: (recorded: RecordedSession) => void;
  readonly settings: ClaimSettings;
}

/** What every claim of an instance says. */
export interface ClaimSettings {
  readonly eatProfile: ClaimInput["eatProfile"];
  readonly mode: ClaimInput["policy"]["mode"];
  readonly catalogHash: string;
  readonly validitySeconds: number;
  readonly isolation: ClaimInput["surroundings"]["isolation"];
  /** Whether a claim is made after every call. */
  readonly perCall: boolean;
}

/** The policy last in force in a session, as its own entries say: the gateway's may be a newer one by now. */
function policyOf(entries: readonly AuditEntry[]): { readonly hash: string; readonly version: string } {
  const detail = entries.findLast(({ entry_type: type }) => type === "policy_load" || type === "session_start")?.detail;
  return { hash: String(detail?.["policy_hash"]), version: String(detail?.["policy_version"]) };
}

/** Makes claims over sessions, from what the host's store holds of them. */
export class Claims {
  readonly #parts: ClaimPorts;
  readonly #sequence = new ClaimSequence();

  constructor(parts: ClaimPorts) {
    this.#parts = parts;
  }

  /**
   * What this process knows a session's chain to be, once the host holds every entry up to there, so that they can be read back.
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE` while its store is behind: what it lacks is late, and no lie
   */
  async storedPoint({ chain, stored }: RecordedSession): Promise<ChainPoint> {
    const point = { root: chain.root, tip: chain.tip, length: chain.length };
    await stored;
    this.#parts.journal.assertCaughtUp();
    return point;
  }

  /**
   * A claim over everything recorded in an open session so far; a verifier calls it an open prefix. While
   * nothing is added to the session, asking again gives the same claim where each call makes one already.
   * @throws CmcpError `AUDIT_STORE_MISMATCH` when the store does not hold the session's record; the session then ends, because no claim of it will
   * ever be made
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

  /** The claim over a session whose chain has its last entry. */
  async claimEnded(recorded: RecordedSession): Promise<Claim> {
    return await this.#make(recorded, await this.storedPoint(recorded));
  }

  /** The text of a session's audit bundle up to a point of its chain, in pieces. */
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
    };
  }
}

/** What is kept with the claim of a closed session, so that a later instance, which has another key, can answer with it. */
async function sessionEnd(entries: readonly AuditEntry[], evidence: Evidence, sign: Sign): Promise<SessionEnd> {
  const file = JSON.parse(JSON.stringify(writeEvidenceFile(evidence))) as JsonObject;
  const kept = JSON.stringify(file).length <= MAX_KEPT_EVIDENCE ? { evidence: file } : {};
  return { bundle_signature: await bundleSignature(entries, sign), ...kept };
}
