export type { AuthenticatedCaller, IdentitySource } from "./authenticated-caller.ts";
export {
  hostAssertedLabels,
  readHostAsserted,
  type HostAsserted,
  type HostAssertedLabels,
  type PeerIdentity,
} from "./host/asserted.ts";
export { JwtAuthenticator } from "./jwt/authenticator.ts";
export { looksLikeJwt } from "./jwt/compact.ts";
export { requirePrincipals } from "./principals.ts";
export type { ClaimKind, ClaimValue } from "./jwt/project.ts";
export { MAX_TOKEN } from "./limits.ts";
export { challenge, type ChallengeCause } from "./resource/challenge.ts";
export { metadataPaths, metadataUrl } from "./resource/identifier.ts";
export { resourceMetadata, type ResourceMetadata } from "./resource/metadata.ts";
export { identitySchema, type IdentitySettings, type IssuerSettings } from "./schema.ts";
export { TimeFloor, type TimeSources } from "./time/floor.ts";
