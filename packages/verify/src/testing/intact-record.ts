import type { Claim } from "@cmcp/claim/schema";
import { Instance } from "./instance.ts";
import { altered, CATALOG_HASH, POLICY_HASH, recordOf } from "./session.ts";

/** A record that every check accepts, and its parts. */
export const record = recordOf();
export const { instance, claim, bundle } = record;
/** What a relying party pins of it. */
export const PINS = {
  trustedKey: instance.jwk.x,
  policyHash: POLICY_HASH,
  catalogHash: CATALOG_HASH,
  maxAgeSeconds: 60,
};
export const another = new Instance();

/** The claim with something changed, signed again with its own key: only the one check can find it. */
export const resigned = (change: (draft: Claim) => void): Claim => instance.claim(altered(claim, change));
