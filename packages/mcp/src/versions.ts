/** Protocol revisions of the legacy era (stateful: `initialize`, `Mcp-Session-Id`), newest first. */
export const LEGACY_VERSIONS = ["2025-11-25", "2025-06-18", "2025-03-26"] as const;
/** A protocol revision of the legacy era. */
export type LegacyVersion = (typeof LEGACY_VERSIONS)[number];
/** What the upstream client offers, and what an agent asking for an unknown revision is answered. */
export const NEWEST_LEGACY_VERSION: LegacyVersion = LEGACY_VERSIONS[0];
/** The one revision with JSON-RPC batches, which the next took back. */
const BATCHING_VERSION: LegacyVersion = "2025-03-26";
/** The protocol revision of the modern era (stateless: an envelope in every request's `_meta`). */
export const MODERN_VERSION = "2026-07-28";
/**
 * Revisions that servers of the legacy era are taken at, newest first. The oldest has a transport of its own, HTTP with SSE;
 * servers name it over the others too, and what it says of messages is what the next ones say.
 */
export const SERVER_VERSIONS = [...LEGACY_VERSIONS, "2024-11-05"] as const;
/** A revision that a server of the legacy era may name. */
export type ServerVersion = (typeof SERVER_VERSIONS)[number];
/** Every revision spoken here, newest first. */
export const SUPPORTED_VERSIONS: readonly string[] = [MODERN_VERSION, ...LEGACY_VERSIONS];

/** True for a revision that servers are taken at. */
export function isServerVersion(version: unknown): version is ServerVersion {
  return SERVER_VERSIONS.some((known) => known === version);
}

/** True for the revision with JSON-RPC batches, and for nothing else: until one is agreed on there is nothing to batch. */
export function hasBatches(version: unknown): boolean {
  return version === BATCHING_VERSION;
}

/** True for a revision of the legacy era. */
export function isLegacyVersion(version: unknown): version is LegacyVersion {
  return LEGACY_VERSIONS.some((known) => known === version);
}
