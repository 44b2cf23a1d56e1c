export type { AuthenticatedCaller, IdentitySource } from "./authenticated-caller.ts";
export {
  hostAssertedLabels,
  readHostAsserted,
  type HostAsserted,
  type HostAssertedLabels,
  type PeerIdentity,
} from "./host/asserted.ts";
export { isProofFault, proofFault } from "./dpop/fault.ts";
export { ProofFreshness } from "./dpop/freshness.ts";
export { claimsPossession, ProofOfPossession, type Presentation } from "./dpop/possession.ts";
export { keySetFault } from "./jwks/fault.ts";
export type { IssuerKeys } from "./jwt/keys.ts";
export { NO_KEYS, RemoteKeys, type RemoteKeysState } from "./jwks/remote-keys.ts";
export { JwtAuthenticator } from "./jwt/authenticator.ts";
export { looksLikeJwt } from "./jwt/compact.ts";
export { requirePrincipals } from "./principals.ts";
export type { ClaimKind, ClaimValue } from "./jwt/project.ts";
export { KEY_FETCH_MS, MAX_KEY_SET_BYTES, MAX_TOKEN } from "./limits.ts";
export { challenge, type ChallengeCause } from "./resource/challenge.ts";
export { metadataPaths, metadataUrl } from "./resource/identifier.ts";
export { resourceMetadata, type ResourceMetadata } from "./resource/metadata.ts";
export type { KeyFetchSettings } from "./jwks/settings.ts";
export type { IssuerSettings } from "./jwt/settings.ts";
export { identitySchema, type IdentitySettings } from "./schema.ts";
export { bundleOf, x509Authorities, type TrustBundles } from "./spiffe/bundle.ts";
export { TimeFloor, type TimeSources } from "./time/floor.ts";
