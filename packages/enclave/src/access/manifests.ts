import { hash } from "node:crypto";
import { CmcpError, fromBase64Url, readSpiffeId, toBase64Url, type Untrusted } from "@cmcp/boundary";
import type { Config } from "@cmcp/launch";
import {
  factsOf,
  isBound,
  PROBLEMS,
  problemOf,
  readManifest,
  readRevocations,
  coversTime,
  revocationProblem,
  revocationsInput,
  type BoundFacts,
  type ManifestAnchor,
  type ManifestFacts,
  type ManifestProblem,
  type RevocationList,
  type SubjectSource,
} from "@cmcp/manifest";
import type { Caller } from "./caller.ts";
import { MeasuredKeys } from "./measured-keys.ts";

/** Most callers whose manifests are kept. */
export const MAX_PRESENTED = 4_096;

/** The manifest that a session was opened under. */
export interface SessionManifest {
  readonly facts: BoundFacts;
  readonly source: SubjectSource;
}

/** What is in force, and the time. */
export interface ManifestPorts {
  readonly policyHash: () => string;
  readonly catalogHash: () => string;
  readonly mode: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * The manifests that callers have presented, and the list of those that are revoked. Nothing of it outlives the instance: after a restart
 * both are presented again, and until then no session opens.
 */
export class Manifests {
  readonly #anchors: ReadonlyMap<string, ManifestAnchor>;
  readonly #anchorKeys: MeasuredKeys;
  readonly #revocationKeys: MeasuredKeys;
  readonly #ports: ManifestPorts;
  readonly #presented = new Map<string, SessionManifest>();
  readonly #minSequence: number;
  #revocations: RevocationList | null = null;

  constructor(
    { anchors, revocation_keys, min_revocations_sequence: minSequence = 1 }: NonNullable<Config["agent_manifest"]>,
    ports: ManifestPorts,
  ) {
    this.#anchors = new Map(anchors.map((anchor) => [keyIdOf(anchor), anchor]));
    this.#anchorKeys = new MeasuredKeys(anchors.map(({ public_key }) => public_key));
    this.#revocationKeys = new MeasuredKeys(revocation_keys);
    this.#minSequence = minSequence;
    this.#ports = ports;
  }

  /** The list of revoked manifests; `null` before the first. It may be over. */
  get revocations(): RevocationList | null {
    return this.#revocations;
  }

  /**
   * Takes the manifest of an authenticated caller in place of the one before. Sessions that open from here on are under it.
   * @throws CmcpError `AGENT_MANIFEST_MALFORMED`, `AGENT_MANIFEST_BINDING_FAILED`, `OVERLOADED`
   */
  present(caller: Caller, input: Untrusted<Uint8Array>): SessionManifest {
    const read = readManifest(input);
    const anchor = this.#anchors.get(read.keyId);
    if (anchor === undefined) throw bindingFailed("key");
    if (!this.#anchorKeys.hasSigned(anchor.public_key, read.signed, toBase64Url(read.signature)))
      throw bindingFailed("signature");
    const facts = factsOf(read, {
      identified: hash("sha256", read.identified),
      intent: read.intent === null ? null : hash("sha256", read.intent),
    });
    const { subject, source } = subjectOf(caller);
    const problem = this.#problem(facts, subject);
    if (problem !== null || !isBound(facts)) throw bindingFailed(problem ?? "catalog");
    const manifest = { facts, source };
    this.#keep(keyOf(caller), manifest);
    return manifest;
  }

  /**
   * The manifest that a session of the caller opens under.
   * @throws CmcpError `AGENT_MANIFEST_BINDING_FAILED` where it has presented none, or the one it has does not count
   */
  of(caller: Caller): SessionManifest {
    const manifest = this.#presented.get(keyOf(caller));
    if (manifest === undefined)
      throw new CmcpError("AGENT_MANIFEST_BINDING_FAILED", "this caller has presented no agent manifest", {
        detail: { reason: "none" },
      });
    const problem = this.#problem(manifest.facts, subjectOf(caller).subject);
    if (problem !== null) throw bindingFailed(problem);
    return manifest;
  }

  /** Why the manifest of a session counts no more; `null` where it does. It is held to the subject it was presented by. */
  problemOf({ facts }: SessionManifest): ManifestProblem | null {
    return this.#problem(facts, facts.agentId);
  }

  /**
   * Puts a revocation list in force in place of the one before.
   * @throws CmcpError `AGENT_MANIFEST_REVOCATIONS_REFUSED` unless a measured key signed it, it is in force, and its sequence is higher
   */
  takeRevocations(input: Untrusted<Uint8Array>): RevocationList {
    const { list, key, signature } = readRevocations(input);
    const refuse = (why: string): never => {
      throw new CmcpError("AGENT_MANIFEST_REVOCATIONS_REFUSED", `the revocation list: ${why}`);
    };
    if (!this.#revocationKeys.hasSigned(key, revocationsInput(list), signature))
      refuse("no key of agent_manifest.revocation_keys signed it");
    if (!coversTime(list, this.#ports.now())) refuse("it is not in force at this time");
    if (list.sequence < this.#minSequence) refuse("its sequence is below agent_manifest.min_revocations_sequence");
    if (list.sequence <= (this.#revocations?.sequence ?? 0))
      refuse("its sequence is not higher than that of the list in force");
    this.#revocations = list;
    return list;
  }

  #problem(facts: ManifestFacts, subject: string | null): ManifestProblem | null {
    const anchor = this.#anchors.get(facts.keyId);
    if (anchor === undefined) return "key";
    const { policyHash, catalogHash, mode, now } = this.#ports;
    const terms = { anchor, subject, policyHash: policyHash(), catalogHash: catalogHash(), mode, now: now() };
    return problemOf(facts, terms) ?? revocationProblem(facts, this.#revocations, terms.now);
  }

  #keep(key: string, manifest: SessionManifest): void {
    if (!this.#presented.has(key) && this.#presented.size >= MAX_PRESENTED) {
      for (const [held, { facts }] of this.#presented)
        if (facts.expiresAt <= this.#ports.now()) this.#presented.delete(held);
      if (this.#presented.size >= MAX_PRESENTED)
        throw new CmcpError("OVERLOADED", "the gateway holds as many agent manifests as it can");
    }
    this.#presented.set(key, manifest);
  }
}

/** Why a manifest does not count, as its presenter is told. */
export function bindingFailed(problem: ManifestProblem): CmcpError {
  return new CmcpError("AGENT_MANIFEST_BINDING_FAILED", `the agent manifest does not count: ${PROBLEMS[problem]}`, {
    detail: { reason: problem },
  });
}

/**
 * The SPIFFE ID of an authenticated caller: the subject of its JWT, or the name of the principal whose token it showed. Nothing of it comes
 * from the manifest, and a caller without one has no manifest.
 */
function subjectOf({ source, principalId, jwtIdentity }: Caller): {
  readonly subject: string | null;
  readonly source: SubjectSource;
} {
  if (jwtIdentity !== null) return { subject: spiffeOrNull(jwtIdentity.subject), source: "svid" };
  return { subject: source === "bearer" ? spiffeOrNull(principalId) : null, source: "config" };
}

function spiffeOrNull(text: string): string | null {
  return readSpiffeId(text)?.text ?? null;
}

/** Plain and sealed requests present their own: what the host could send plainly changes nothing for sealed sessions. */
function keyOf({ principalId, channel }: Caller): string {
  return `${channel} ${principalId}`;
}

function keyIdOf({ public_key: key }: ManifestAnchor): string {
  return hash("sha256", fromBase64Url(key) ?? new Uint8Array());
}
