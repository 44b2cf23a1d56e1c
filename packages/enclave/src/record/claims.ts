import { claimEvidence, writeEvidenceFile, type Evidence } from "@cmcp/appraise/evidence";
import type { SessionEnd, SigningJwk } from "@cmcp/audit";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { buildClaim, writeClaim, type Claim, type ClaimInput, type WrittenClaim } from "@cmcp/claim";
import { agentIdentity } from "@cmcp/manifest";
import { summarize } from "@cmcp/session";
import { Admission } from "../access/admission.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import type { Journal } from "./journal.ts";
import type { ChainPoint } from "./read-entries.ts";
import type { Recorder } from "./recorder.ts";
import type { RecordedSession } from "./recorded-session.ts";
import { pointOf } from "./sessions.ts";
import type { FoldedEntries } from "./session-fold.ts";

/** Largest evidence stored with a session's last claim, in characters of JSON. Claim and evidence fit into one record. */
const MAX_KEPT_EVIDENCE = 1024 * 1024;

/** Most claims that are written at one time: each can have megabytes. Principals take turns. */
const MAX_WRITTEN_AT_ONCE = 4;
const NEVER = new AbortController().signal;

/** Numbers the claims of an instance and links each to the one before, so that a withheld claim is noticed. */
export class ClaimSequence {
  #number = 0;
  #previous: string | null = null;

  /**
   * Writes a claim with the next number and the link. The number is used up even if the host stores the claim late,
   * because a second claim with it would look like a fork.
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
  readonly journal: Pick<Journal, "append" | "assertCaughtUp">;
  readonly recorder: Pick<Recorder, "ensureStarted">;
  readonly key: { readonly jwk: SigningJwk; sign(message: Uint8Array): Uint8Array };
  /** Collects evidence over the root of a session's chain, for its principal. */
  readonly evidenceOf: (root: string, principalId: string) => Promise<Evidence>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly settings: ClaimSettings;
}

/** What every claim of an instance contains. */
export interface ClaimSettings {
  readonly eatProfile: ClaimInput["eatProfile"];
  readonly mode: ClaimInput["policy"]["mode"];
  readonly validitySeconds: number;
  readonly isolation: ClaimInput["surroundings"]["isolation"];
  /** What the kill switch is set to; absent where it is not enabled. */
  readonly killSwitch?: ClaimInput["killSwitch"];
  /** Whether a claim is made after every call. */
  readonly perCall: boolean;
}

/** Makes claims over sessions. What they say of the entries was kept up to date as those were written, so a claim reads nothing back. */
export class Claims {
  readonly #parts: ClaimPorts;
  readonly #sequence = new ClaimSequence();
  readonly #writing = new Admission({ maxRunning: MAX_WRITTEN_AT_ONCE, maxPerPrincipal: Number.POSITIVE_INFINITY });

  constructor(parts: ClaimPorts) {
    this.#parts = parts;
  }

  /**
   * The present end of a session's chain, once the host has stored every entry up to it.
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE` while the host is late with a record; `AUDIT_STORE_MISMATCH` if it will
   * never hold one of them
   */
  async storedPoint(recorded: RecordedSession): Promise<ChainPoint> {
    const point = pointOf(recorded);
    await recorded.stored;
    this.#parts.journal.assertCaughtUp();
    if (recorded.hasLostEntry)
      throw new CmcpError("AUDIT_STORE_MISMATCH", "an entry of the session could not be stored");
    return point;
  }

  /**
   * A claim over an open session so far, which a verifier calls an open prefix. If every call makes a claim, the latest
   * one is returned until the session gets another entry.
   * @throws CmcpError as {@link storedPoint}
   */
  async claimOpen(recorded: RecordedSession): Promise<Claim> {
    await this.#parts.recorder.ensureStarted(recorded);
    if (!this.#parts.settings.perCall) return await this.#make(recorded);
    const { tip } = await this.storedPoint(recorded);
    if (recorded.latestClaim?.gateway.audit_chain.tip !== tip) recorded.latestClaim = await this.#make(recorded);
    return recorded.latestClaim;
  }

  /** The claim over a session that has its `session_end` entry. @throws CmcpError as {@link storedPoint} */
  async claimEnded(recorded: RecordedSession): Promise<Claim> {
    return await this.#make(recorded);
  }

  async #make(recorded: RecordedSession): Promise<Claim> {
    const { root } = await this.storedPoint(recorded);
    const { principalId } = recorded.session;
    const evidence = await this.#parts.evidenceOf(root, principalId);
    return await this.#writing.run(principalId, NEVER, async () => await this.#write(recorded, evidence));
  }

  async #write(recorded: RecordedSession, evidence: Evidence): Promise<Claim> {
    const { journal, key, settings } = this.#parts;
    const sign = (bytes: Uint8Array): Uint8Array => key.sign(bytes);
    // All of it is read at once: what is written meanwhile is no part of the claim.
    const folded = recorded.fold.read(sign);
    const input = this.#input(recorded, folded);
    await this.storedPoint(recorded);
    const attestation = { ...evidence, validitySeconds: settings.validitySeconds, evidence: claimEvidence(evidence) };
    const { claim, written, hash } = this.#sequence.next((sequenceNumber, previous) =>
      writeClaim(
        buildClaim({
          ...input,
          attestation,
          sequenceNumber,
          ...(previous === null ? {} : { previousClaimHash: previous }),
        }),
        sign,
      ),
    );
    await journal.append(claim.gateway.session_id, {
      kind: "claim",
      body: {
        session_id: claim.gateway.session_id,
        sequence_number: claim.gateway.sequence_number,
        claim_hash: hash,
        claim: written,
        ...(folded.bundleSignature === null ? {} : { end: sessionEnd(folded.bundleSignature, evidence) }),
      },
    });
    return claim;
  }

  #input(
    recorded: RecordedSession,
    { calls, policy, catalogHash }: FoldedEntries,
  ): Omit<ClaimInput, "attestation" | "sequenceNumber"> {
    const { key, now, settings } = this.#parts;
    const { call_graph_summary: graph } = summarize(recorded.session);
    const { session: id, root, tip, length } = pointOf(recorded);
    return {
      eatProfile: settings.eatProfile,
      issuedAt: Math.floor(now() / 1000),
      jwk: key.jwk,
      gatewayVersion: GATEWAY_VERSION,
      session: {
        id,
        root,
        tip,
        length,
        crossBoundaryEvents: graph.cross_boundary_events.map((event) => ({ ...event })),
        edgesRepresent: graph.edges_represent,
      },
      calls,
      policy: { ...policy, mode: settings.mode },
      catalog: { hash: catalogHash, driftDetected: recorded.drifted.size > 0 },
      surroundings: { isolation: settings.isolation, channel: recorded.session.channel },
      killSwitch: settings.killSwitch,
      agentIdentity:
        recorded.manifest === null ? undefined : agentIdentity(recorded.manifest.facts, recorded.manifest.source),
    };
  }
}

/** What is stored with the claim of a closed session, so that a later instance with another key can return it. */
function sessionEnd(signature: string, evidence: Evidence): SessionEnd {
  const file = JSON.parse(JSON.stringify(writeEvidenceFile(evidence))) as JsonObject;
  const storedEvidence = JSON.stringify(file).length <= MAX_KEPT_EVIDENCE ? { evidence: file } : {};
  return { bundle_signature: signature, ...storedEvidence };
}
