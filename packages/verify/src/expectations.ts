import type { AppraisalPolicy, EnforcementMode, ImageMatcher } from "@cmcp/appraise";
import type { EatProfile } from "@cmcp/claim/schema";
import type { ManifestAnchor } from "@cmcp/manifest";
import type { ExpectedLaunch } from "./claim/launch-terms.ts";
import type { HeadExpectations } from "./log/witnessing.ts";

/** What is asked of a session, whatever its evidence is worth. */
export interface SessionTerms {
  /** Modes accepted beside `enforcing`. In these, calls that policy refuses are made all the same. */
  readonly allowModes?: readonly EnforcementMode[];
  /** The session's root entry must say that its instance knew all that earlier ones recorded. */
  readonly completeHistory?: boolean;
  /** The session's requests must have been sealed, so that its host read none of them. */
  readonly requireSealed?: boolean;
  /** The keys that requests were sealed to, as the instance's report names them (`keys.seal`): the session must name the same. */
  readonly sealKeys?: string;
  /** Tokens and credentials must have come in statements that a provisioning key of the launch document signed. */
  readonly requireSignedProvisioning?: boolean;
}

/** What a relying party expects of a record without a claim. */
export interface RecordExpectations extends SessionTerms {
  /** Accept a record without hardware evidence. */
  readonly allowSoftwareOnly: boolean;
  /** Pinned signing key, base64url of 32 bytes. Of an interrupted session that of the instance that answers for it. */
  readonly trustedKey?: string;
}

/** What a relying party expects; nothing here is read from the record being verified. */
export interface Expectations extends SessionTerms, HeadExpectations {
  /** The time of verification. */
  readonly now: Date;
  /** The only profile accepted. */
  readonly eatProfile: EatProfile;
  /**
   * Accept a claim without hardware evidence: it then proves integrity under its own key and nothing about where that key lives.
   * With it goes what only development instances are allowed: their launch documents are accepted too.
   */
  readonly allowSoftwareOnly: boolean;
  /** How hardware evidence is appraised. */
  readonly appraisal: AppraisalPolicy;
  /** The launch document that the hardware must have been started with, and that policy and catalog must follow from. */
  readonly launch?: ExpectedLaunch;
  /**
   * Its digest instead, lowercase hex: SHA-256; SHA-384 for TDX. An evidence file's document of this digest stands for
   * the expected one.
   */
  readonly launchDigest?: string;
  /**
   * Policy bundles were given that are to follow the launch document's: without the document nothing holds them, and
   * the claim is not accepted.
   */
  readonly bundlesGiven?: boolean;
  /** Versions of the catalog were given that are to follow the launch document's: as of bundles, nothing else holds them. */
  readonly catalogVersionsGiven?: boolean;
  /** Reads a launch document that was found in evidence. */
  readonly readLaunch?: ExpectedLaunch["read"];
  /** An appraisal was asked for, so a claim without evidence to appraise is not accepted, whatever `allowSoftwareOnly` says. */
  readonly evidenceRequired?: boolean;
  /** Accepted measurements, lowercase hex. */
  readonly measurements?: readonly string[];
  /** Accepted images. */
  readonly image?: ImageMatcher;
  /** Pinned signing key, base64url of 32 bytes. */
  readonly trustedKey?: string;
  /** Pinned policy bundle hash, `sha256:` and hex. */
  readonly policyHash?: string;
  /** Pinned catalog hash, `sha256:` and hex. */
  readonly catalogHash?: string;
  /** Keys that may have signed the agent manifest that was given. */
  readonly manifestAnchors?: readonly ManifestAnchor[];
  /** The list of revoked manifests that the one that was given is held to, and the keys that may have signed it. */
  readonly manifestRevocations?: ExpectedRevocations;
  /** Oldest acceptable claim in seconds. */
  readonly maxAgeSeconds?: number;
}

/** A signed list of revoked manifests. */
export interface ExpectedRevocations {
  readonly signedList: Uint8Array;
  /** Ed25519 public keys, base64url of 32 bytes. */
  readonly keys: readonly string[];
}

/** Seconds a claim may lie in the future, because clocks differ. */
export const CLOCK_SKEW_SECONDS = 60;
